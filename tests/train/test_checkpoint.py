from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from morula.errors import DiskError
from morula.network.build import build_network
from morula.network.spec import NetworkSpec
from morula.train.checkpoint import BestWeights, TrainingLog, TrainingState, resume_checkpoint, save_checkpoint

SPEC = NetworkSpec(voxel_size_um=(1.0, 1.0, 1.0), stem_stride=(1, 1, 1), downsampling=((2, 2, 2),), channels=(2, 3))


def _step(state: TrainingState) -> None:
    frames = torch.full((1, 3, 4, 4, 4), 0.1 * (state.iteration + 1))
    state.optimizer.zero_grad()
    sum(part.square().mean() for part in state.network(frames)).backward()
    state.optimizer.step()
    state.iteration += 1
    state.log.recent.append((0.1 * state.iteration, 1 / 3))


def _start(steps: int = 0, seed: int = 0) -> TrainingState:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(SPEC).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=1e-3)
    state = TrainingState(network, deepcopy(network), optimizer, 0, TrainingLog())
    for _ in range(steps):
        _step(state)
    return state


def _same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_training_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path) -> None:
    state, resumed = _start(3), _start(seed=9)
    state.log.add(iteration=2, indicator_loss=1 / 7)
    save_checkpoint(state, tmp_path / "checkpoint", "a")
    assert resume_checkpoint(resumed, tmp_path / "checkpoint", "a")
    assert resumed.iteration == 3
    assert (resumed.log.columns, resumed.log.recent) == (state.log.columns, state.log.recent)
    assert _same_weights(resumed.average, state.average)
    for _ in range(4):
        _step(state)
        _step(resumed)
        assert _same_weights(state.network, resumed.network)


def test_the_best_weights_so_far_are_kept_with_their_score(tmp_path) -> None:
    state, resumed = _start(3), _start(seed=9)
    save_checkpoint(state, tmp_path / "without", "a")
    assert resume_checkpoint(resumed, tmp_path / "without", "a")
    assert resumed.best == BestWeights()
    state.best = BestWeights(1 / 3, 2, 1, {k: v.clone() for k, v in _start(2).average.state_dict().items()})
    save_checkpoint(state, tmp_path / "with", "a")
    assert resume_checkpoint(resumed, tmp_path / "with", "a")
    assert (resumed.best.score, resumed.best.iteration, resumed.best.waited) == (1 / 3, 2, 1)
    assert all(torch.equal(v, resumed.best.weights[k]) for k, v in state.best.weights.items())


def test_a_new_checkpoint_takes_the_place_of_the_old_one(tmp_path) -> None:
    for steps in (1, 2):
        save_checkpoint(_start(steps), tmp_path / "checkpoint", "a")
    state = _start()
    assert resume_checkpoint(state, tmp_path / "checkpoint", "a")
    assert state.iteration == 2
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def _without(path, *names: str) -> None:
    """Take words out of a checkpoint."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        words = {key: value for key, value in file.metadata().items() if key not in names}
    save_file(tensors, path, words)


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "of another training": lambda path: save_checkpoint(_start(1), path, "b"),
    "empty": lambda path: path.write_bytes(b""),
    "cut in the header": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "cut in the weights": lambda path: path.write_bytes(path.read_bytes()[:-50]),
    "text": lambda path: path.write_text("iteration = 3"),
    "without its state": lambda path: _without(path, "state"),
    "without its fingerprint": lambda path: _without(path, "fingerprint"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_checkpoint_that_cannot_be_used_is_ignored_and_nothing_is_touched(tmp_path, damage) -> None:
    path, state = tmp_path / "checkpoint", _start()
    save_checkpoint(_start(3, seed=9), path, "a")
    damage(path)
    before = deepcopy(state.network)
    assert not resume_checkpoint(state, path, "a")
    assert (state.iteration, state.log.columns, state.log.recent) == (0, {}, [])
    assert _same_weights(before, state.network)
    assert not state.optimizer.state_dict()["state"]


def test_on_a_full_disk_the_old_checkpoint_stays(tmp_path) -> None:
    save_checkpoint(_start(1), tmp_path / "checkpoint", "a")
    before = (tmp_path / "checkpoint").read_bytes()
    (tmp_path / ".checkpoint.part").symlink_to("/dev/full")
    with pytest.raises(DiskError, match=r"checkpoint: the file cannot be written \(No space left on device\)"):
        save_checkpoint(_start(2), tmp_path / "checkpoint", "a")
    assert (tmp_path / "checkpoint").read_bytes() == before
    save_checkpoint(_start(2), tmp_path / "checkpoint", "a")
    assert (tmp_path / "checkpoint").read_bytes() != before
