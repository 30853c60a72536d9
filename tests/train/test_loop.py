from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.core.movie import Movie
from morula.core.progress import Progress
from morula.core.tracks import Tracks
from morula.errors import AnnotationError, MovieError, TrainingError
from morula.train import steps
from morula.train.loop import train_network
from morula.train.params import TrainParams
from morula.train.sampling import CropSampler

NOBODY = Tracks.from_ids([], [], [], [])
COLUMNS = ("iteration", "indicator_loss", "movement_loss", "val_iteration", "val_recall", "val_movement_um")


class KilledError(Exception):
    """The power went."""


@pytest.fixture
def kill_at(monkeypatch):
    """Pull the plug before a step, or (None) no longer."""
    draw = CropSampler.draw_batch

    def set_up(step: int | None) -> None:
        def draw_or_die(self, iteration, **shared):
            if iteration == step:
                raise KilledError(f"at step {iteration}")
            return draw(self, iteration, **shared)

        monkeypatch.setattr(CropSampler, "draw_batch", draw_or_die)

    return set_up


@pytest.fixture
def recorded(monkeypatch) -> list[dict]:
    """Weights, average and learning rate at every checkpoint."""
    taken: list[dict] = []
    save = steps.save_checkpoint

    def record(state, path, fingerprint):
        copies = [{k: v.clone() for k, v in m.state_dict().items()} for m in (state.network, state.average)]
        rate = state.optimizer.param_groups[0]["lr"]
        taken.append({"network": copies[0], "average": copies[1], "rate": rate, "iteration": state.iteration})
        save(state, path, fingerprint)

    monkeypatch.setattr(steps, "save_checkpoint", record)
    return taken


def _same(one, other) -> bool:
    """The same weights and the same history, bit for bit."""
    weights = zip(one[0].network.state_dict().values(), other[0].network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in weights) and all(
        np.array_equal(getattr(one[1], name), getattr(other[1], name)) for name in COLUMNS
    )


@pytest.mark.parametrize("every", [7, 10])
def test_a_killed_training_resumed_ends_with_the_same_weights_and_history(
    drift, quick, kill_at, tmp_path, every
) -> None:
    movie, tracks = drift
    params, few = replace(quick, checkpoint_every=every), tracks.rows(tracks.lineage_id() < 2)
    undisturbed = train_network(movie, tracks, few, params)
    for step in (17, 23):  # before and after the first entry of the log at step 20
        kill_at(step)
        with pytest.raises(KilledError, match=f"at step {step}"):
            train_network(movie, tracks, few, params, checkpoint=tmp_path / "checkpoint", fingerprint="a")
    kill_at(None)
    resumed = train_network(movie, tracks, few, params, checkpoint=tmp_path / "checkpoint", fingerprint="a")
    assert undisturbed[1].iteration.tolist() == [20, 30]
    assert undisturbed[1].val_iteration.tolist() == [15, 30]
    assert _same(undisturbed, resumed)


def test_resuming_repeats_only_what_came_after_the_checkpoint(drift, quick, kill_at, tmp_path, caplog) -> None:
    movie, tracks = drift
    params, path = replace(quick, checkpoint_every=10), tmp_path / "checkpoint"
    kill_at(25)
    with pytest.raises(KilledError, match="at step 25"):
        train_network(movie, tracks, NOBODY, params, checkpoint=path, fingerprint="a")
    kill_at(19)  # never reached again
    with caplog.at_level(logging.INFO):
        train_network(movie, tracks, NOBODY, params, checkpoint=path, fingerprint="a")
    assert "training goes on at iteration 20 of 30" in caplog.text


@pytest.mark.parametrize("spoil", ["another fingerprint", "truncated"])
def test_a_checkpoint_of_another_training_or_a_damaged_one_is_ignored(drift, quick, recorded, tmp_path, spoil) -> None:
    movie, tracks = drift
    params, path = replace(quick, iterations=6, checkpoint_every=3), tmp_path / "checkpoint"
    fresh = train_network(movie, tracks, NOBODY, params)
    train_network(movie, tracks, NOBODY, replace(params, seed=5), checkpoint=path, fingerprint="a")
    if spoil == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    fingerprint = "a" if spoil == "truncated" else "b"
    again = train_network(movie, tracks, NOBODY, params, checkpoint=path, fingerprint=fingerprint)
    assert [taken["iteration"] for taken in recorded] == [3, 6, 3, 6]
    assert _same(fresh, again)


def test_the_average_follows_the_weights_and_is_what_comes_out(drift, quick, recorded, tmp_path) -> None:
    movie, tracks = drift
    params = replace(quick, iterations=12, checkpoint_every=1, average_decay=0.4)
    model, _ = train_network(movie, tracks, NOBODY, params, checkpoint=tmp_path / "checkpoint")
    expected = recorded[0]["average"]
    for i, taken in enumerate(recorded[1:], start=2):
        decay = min(0.4, i / (i + 10))
        expected = {k: decay * v + (1 - decay) * taken["network"][k] for k, v in expected.items()}
        assert all(torch.allclose(v, taken["average"][k], atol=1e-6) for k, v in expected.items())
    assert all(torch.equal(v, recorded[-1]["average"][k]) for k, v in model.network.state_dict().items())
    assert not all(torch.allclose(v, recorded[-1]["network"][k]) for k, v in expected.items())
    assert not model.network.training


def test_the_learning_rate_warms_up_and_falls_along_a_cosine(drift, quick, recorded, tmp_path) -> None:
    movie, tracks = drift
    params = replace(quick, iterations=25, checkpoint_every=1, learning_rate=1e-3)
    train_network(movie, tracks, NOBODY, params, checkpoint=tmp_path / "checkpoint")
    rates = [taken["rate"] for taken in recorded]
    top = int(np.argmax(rates))
    assert 0 < top < 4
    assert rates[0] < 0.1 * max(rates)
    assert max(rates) == pytest.approx(1e-3, rel=0.02)
    assert np.all(np.diff(rates[top:]) < 0)
    assert rates[-1] < 0.03 * max(rates)


@pytest.mark.parametrize(
    ("points", "linked", "message"),
    [
        (0, False, "0 annotated points with 0 links are too few to learn from"),
        (9, True, "9 annotated points with 8 links are too few"),
        (30, False, "30 annotated points with 0 links are too few"),
    ],
)
def test_too_few_annotations_are_refused(drift, quick, points, linked, message) -> None:
    ids = np.arange(points)
    tracks = Tracks.from_ids(ids, np.zeros((points, 3)), ids, ids - 1 if linked else ids * 0 - 1)
    with pytest.raises(AnnotationError, match=message):
        train_network(drift[0], tracks, NOBODY, quick)


def test_a_movie_without_contrast_is_refused_before_any_step(drift, quick) -> None:
    flat = Movie(np.full(drift[0].shape, 7.0), drift[0].voxel_size_um)
    with pytest.raises(MovieError, match="no contrast"):
        train_network(flat, drift[1], NOBODY, quick)


def test_a_diverging_training_leaves_the_last_good_checkpoint(drift, quick, recorded, tmp_path) -> None:
    """The rate warms up: some steps are fine, then the weights explode. What is on disk still has a finite loss."""
    movie, tracks = drift
    path, wild = tmp_path / "checkpoint", replace(quick, iterations=400, learning_rate=3.0, checkpoint_every=1)
    message = r"train: the loss is not finite at iteration (\d+)\.\n(.*\n)+  fix:      lower train.learning_rate"
    ends = []
    for _ in range(2):  # from the start, and from the checkpoint
        with pytest.raises(TrainingError, match=message) as caught:
            train_network(movie, tracks, NOBODY, wild, checkpoint=path, fingerprint="a")
        ends.append(int(caught.value.what.split()[-1].rstrip(".")))
    assert ends[0] == ends[1] == recorded[-1]["iteration"] + 1 > 2
    assert all(torch.isfinite(weight).all() for weight in recorded[-1]["network"].values())
    tame = replace(wild, learning_rate=1e-3, iterations=20)
    model, history = train_network(movie, tracks, NOBODY, tame, checkpoint=path, fingerprint="b")
    assert np.isfinite(history.indicator_loss).all()
    assert all(torch.isfinite(weight).all() for weight in model.network.state_dict().values())


def test_weights_broken_by_the_last_step_do_not_come_out(drift, quick, recorded, tmp_path) -> None:
    movie, tracks = drift
    wild = replace(quick, iterations=1, learning_rate=1e38, checkpoint_every=1, weight_decay=1e3)
    with pytest.raises(TrainingError, match=r"not finite at iteration 1\.\n.*weights that are not finite"):
        train_network(movie, tracks, NOBODY, wild, checkpoint=tmp_path / "checkpoint")
    assert not recorded


@pytest.mark.parametrize("step", [13, 22])
def test_early_stopping_goes_on_where_it_was_killed(drift, quick, kill_at, tmp_path, step, monkeypatch) -> None:
    """Validations at 6, 12, 18 and 24 say what they are told: the best is the second, and the fourth is the end."""
    movie, tracks = drift
    recall = {6: 0.5, 12: 0.9, 18: 0.6, 24: 0.7}
    params, path = replace(quick, validations=5, patience=2, checkpoint_every=10), tmp_path / "checkpoint"
    weights: dict[int, dict] = {}

    def validate(state, result, params, note=steps.note_validation):
        weights[state.iteration] = {k: v.clone() for k, v in state.average.state_dict().items()}
        return note(state, replace(result, recall=recall[state.iteration], movement_um=1.0), params)

    monkeypatch.setattr(steps, "note_validation", validate)
    few = tracks.rows(tracks.lineage_id() < 2)
    undisturbed = train_network(movie, tracks, few, params)
    kill_at(step)
    with pytest.raises(KilledError, match=f"at step {step}"):
        train_network(movie, tracks, few, params, checkpoint=path, fingerprint="a")
    kill_at(None)
    resumed = train_network(movie, tracks, few, params, checkpoint=path, fingerprint="a")
    assert undisturbed[1].val_iteration.tolist() == [6, 12, 18, 24, 24]
    assert all(torch.equal(v, weights[12][k]) for k, v in undisturbed[0].network.state_dict().items())
    assert _same(undisturbed, resumed)


def test_patience_without_held_out_points_is_said_and_changes_nothing(drift, quick, caplog) -> None:
    _, history = train_network(*drift, NOBODY, replace(quick, patience=1, iterations=4))
    assert "train.patience needs held-out annotations" in caplog.text
    assert history.iteration[-1] == 4


def test_16_bits_train_nearly_as_32_do(drift, quick) -> None:
    """On the CPU, where it is slower or faster but the same code as on a graphics card."""
    params = replace(quick, iterations=20, batch_size=2, validations=1)
    exact = train_network(*drift, NOBODY, params)[1]
    short = train_network(*drift, NOBODY, replace(params, precision="bfloat16"))[1]
    assert short.indicator_loss[-1] == pytest.approx(exact.indicator_loss[-1], rel=0.1)
    assert short.indicator_loss[-1] != exact.indicator_loss[-1]


def test_progress_tells_the_steps_and_the_losses(drift, quick) -> None:
    events: list[Progress] = []
    _, history = train_network(*drift, NOBODY, quick, progress=events.append)
    assert [(e.stage, e.done, e.total, e.unit) for e in events] == [("train", i, 30, "iterations") for i in (20, 30)]
    assert events[-1].detail.startswith(f"indicator loss {history.indicator_loss[-1]:.3f}")
    assert len(history.val_iteration) == 0


def test_the_random_state_of_the_caller_is_left_alone(drift, quick) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train_network(*drift, NOBODY, replace(quick, iterations=2))
    assert torch.equal(torch.rand(2), expected)


def test_movement_vectors_become_far_better_than_no_motion(make_drift) -> None:
    """Blobs that drift by 2.8 µm per frame; half of them are learned, the others checked.

    Crops are mirrored and transposed, so that the network has to look: the mean movement is zero.
    """
    movie, tracks = make_drift(drift_um=(0.0, 2.0, 2.0), shape=(5, 8, 40, 40), voxel_um=(2.0, 1.4, 1.4), sigma_um=1.8)
    odd = tracks.lineage_id() % 2 == 1
    params = TrainParams(
        iterations=160, batch_size=8, crop_outputs=(8, 8, 8), movement_weight=1.0, movement_spread=1.0,
        warp_share=0.0, random_share=0.0, frame_shift_um=0.0, noise=0.0, intensity_change=0.0,
        average_decay=0.9, validations=1, threads=1,
    )  # fmt: skip
    _, history = train_network(movie, tracks.rows(odd), tracks.rows(~odd), params)
    assert history.val_no_motion_um[-1] == pytest.approx(8**0.5, rel=0.01)
    assert history.val_movement_um[-1] < 0.5 * history.val_no_motion_um[-1]
    assert history.movement_loss[-1] < 0.5 * history.movement_loss[0]
    assert history.indicator_loss[-1] < 0.9 * history.indicator_loss[0]
