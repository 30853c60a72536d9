from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.errors import TrainingError
from morula.network.fast import FastNetwork
from morula.network.intensity import measure_intensity
from morula.network.spec import choose_network
from morula.train.batch import VoxelCounts, add_gradients, fit_gradients
from morula.train.labels import annotation_labels
from morula.train.params import TrainParams
from morula.train.ranks import ALONE
from morula.train.sampling import CropSampler, FrameReader

PARAMS = TrainParams(batch_size=5, crop_outputs=(4, 8, 8), iterations=10, movement_spread=0.3)


@pytest.fixture(scope="module")
def work(drift):
    """A network, a batch of five crops, and the sampler it comes from."""
    movie, tracks = drift
    spec = choose_network(movie.voxel_size_um, np.full(3, 3.0))
    torch.manual_seed(0)
    network = FastNetwork(spec)
    sampler = CropSampler(FrameReader(movie, measure_intensity(movie)), annotation_labels(tracks), spec, PARAMS)
    return network, sampler.draw_batch(0), sampler


def _gradients(network) -> torch.Tensor:
    return torch.cat([weight.grad.flatten() for weight in network.parameters()])


class FullCard:
    """The network on a card that holds so many crops at once."""

    def __init__(self, network, room: int) -> None:
        self.forward, self.room, self.seen = network.forward, room, []

    def __call__(self, crops):
        self.seen.append(len(crops))
        if len(crops) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.forward(crops)


@pytest.mark.parametrize("iteration", [0, 9])  # with and without the loss at predicted peaks
@pytest.mark.parametrize("parts", [2, 3, 5])
def test_a_batch_in_parts_has_the_gradients_and_losses_of_the_whole(work, iteration, parts) -> None:
    network, (crops, targets), _ = work
    whole = add_gradients(network, crops, targets, iteration, PARAMS)
    expected = _gradients(network)
    assert add_gradients(network, crops, targets, iteration, PARAMS, parts=parts) == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(_gradients(network), expected, atol=1e-6, rtol=1e-4)
    first = add_gradients(network, crops[:1], targets[:1], iteration, PARAMS)
    assert first != pytest.approx(whole, rel=1e-3)


def test_the_shares_of_two_processes_add_up_to_the_whole(work) -> None:
    """Two processes played one after the other: each is told what both counted."""
    network, _, sampler = work
    crops, targets = sampler.draw_batch(0)
    whole = add_gradients(network, crops, targets, 9, PARAMS)
    expected = _gradients(network)
    counted: list[list[torch.Tensor]] = []

    class Heard:
        count = 2

        def __init__(self, other: list[torch.Tensor]) -> None:
            self.other, self.own = iter(other), []

        def add_up(self, own: torch.Tensor) -> torch.Tensor:
            self.own.append(own)
            return own + next(self.other, torch.zeros(()))

    halves = [sampler.draw_batch(0, rank=rank, ranks=2) for rank in range(2)]
    for half in halves:  # to hear what each counts
        ranks = Heard([])
        add_gradients(network, *half, 9, PARAMS, counts=VoxelCounts(ranks))
        counted.append(ranks.own)
    shares, gradients = [], []
    for half, other in zip(halves, counted[::-1], strict=True):
        shares.append(add_gradients(network, *half, 9, PARAMS, counts=VoxelCounts(Heard(other))))
        gradients.append(_gradients(network))
    assert np.sum(shares, axis=0) == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(sum(gradients), expected, atol=1e-6, rtol=1e-4)


def test_a_full_card_makes_the_batch_smaller_says_so_and_changes_nothing(work, monkeypatch, caplog) -> None:
    network, (crops, targets), _ = work
    expected = fit_gradients(network, crops, targets, 9, PARAMS, parts=1)
    gradients = _gradients(network)
    assert gradients.norm() <= 1.001
    card = FullCard(network, room=2)
    monkeypatch.setattr(network, "forward", card)
    found = fit_gradients(network, crops, targets, 9, PARAMS, parts=1)
    assert found == (*(pytest.approx(loss, rel=1e-5) for loss in expected[:2]), 4)  # 5 crops in 2 parts do not fit
    assert torch.allclose(_gradients(network), gradients, atol=1e-6, rtol=1e-4)
    assert [r.getMessage() for r in caplog.records] == [
        f"the memory of the graphics card is full: 5 crops are computed in {parts} parts; the outcome is the same, "
        "it takes longer"
        for parts in (2, 4)
    ]
    card.seen.clear()
    fit_gradients(network, crops, targets, 9, PARAMS, parts=found[2])
    assert max(card.seen) == 2
    assert len(caplog.records) == 2


def test_a_card_too_small_for_a_single_crop_is_an_error(work, monkeypatch) -> None:
    network, (crops, targets), _ = work
    monkeypatch.setattr(network, "forward", FullCard(network, room=0))
    with pytest.raises(TrainingError, match=r"a single crop does not fit(.*\n)+.*2.00 GiB\n(.*\n)+.*crop_outputs"):
        fit_gradients(network, crops, targets, 0, PARAMS, parts=1)


def test_16_bits_give_nearly_the_same_gradients_and_32_bit_losses(work) -> None:
    network, (crops, targets), _ = work
    exact = add_gradients(network, crops, targets, 0, PARAMS)
    expected = _gradients(network)
    short = add_gradients(network, crops, targets, 0, replace(PARAMS, precision="bfloat16"))
    found = _gradients(network)
    assert found.dtype == torch.float32
    assert short == pytest.approx(exact, rel=0.02)
    assert short != exact
    assert torch.nn.functional.cosine_similarity(found, expected, dim=0) > 0.98


def test_a_loss_that_is_not_finite_is_an_error_with_the_step(work) -> None:
    network, (crops, targets), _ = work
    with pytest.raises(TrainingError, match=r"not finite at iteration 7\.\n  measured: indicator loss nan"):
        fit_gradients(network, crops * float("nan"), targets, 7, PARAMS, parts=1)


def test_a_process_alone_asks_nobody() -> None:
    assert ALONE.add_up(torch.ones(2)).tolist() == [1, 1]
    assert [ALONE.ask_first(answer, torch.device("cpu")) for answer in (True, False)] == [True, False]


def test_caplog_is_quiet_where_memory_suffices(work, caplog) -> None:
    network, (crops, targets), _ = work
    with caplog.at_level(logging.INFO):
        assert fit_gradients(network, crops, targets, 0, PARAMS, parts=1)[2] == 1
    assert not caplog.records
