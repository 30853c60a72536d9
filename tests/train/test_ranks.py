"""Two real processes on the CPU; marked long, since each loads torch first."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.core.movie import Movie
from morula.errors import ChunkError, TrainingError
from morula.train import ranks
from morula.train.loop import train_network
from morula.train.params import TrainParams
from morula.train.ranks import ALONE, Ranks, share_work

pytestmark = pytest.mark.long

PARAMS = TrainParams(iterations=12, batch_size=4, crop_outputs=(4, 8, 8), validations=3, checkpoint_every=5)


class Unreadable:
    """A movie that one process, not this one, cannot read."""

    def __init__(self, array, pid: int) -> None:
        self.array, self.pid, self.shape, self.dtype = array, pid, array.shape, array.dtype

    def __getitem__(self, box):
        if os.getpid() != self.pid:
            raise ChunkError("the disk is not mounted here.")
        return self.array[box]


def _weights(outcome) -> list[torch.Tensor]:
    return list(outcome[0].network.state_dict().values())


def _add_ranks(own: Ranks) -> None:
    own.add_up(torch.tensor([float(own.rank)]))


def _vanish(own: Ranks) -> None:
    os._exit(3 + own.rank)


@pytest.mark.parametrize("patience", [0, 1])
def test_two_processes_train_what_one_trains(drift, patience) -> None:
    movie, tracks = drift
    held_out, params = tracks.rows(tracks.lineage_id() < 2), replace(PARAMS, patience=patience)
    one = train_network(movie, tracks, held_out, params)
    two = train_network(movie, tracks, held_out, replace(params, devices=2))
    assert max(float((a - b).abs().max()) for a, b in zip(_weights(one), _weights(two), strict=True)) < 1e-4
    assert np.allclose(one[1].indicator_loss, two[1].indicator_loss, rtol=1e-4)
    assert one[1].val_iteration.tolist() == two[1].val_iteration.tolist()


def test_two_processes_go_on_from_a_checkpoint_of_one(drift, tmp_path) -> None:
    movie, tracks = drift
    nobody, path = tracks.rows(np.zeros(tracks.n, bool)), tmp_path / "checkpoint"
    whole = train_network(movie, tracks, nobody, replace(PARAMS, devices=2), checkpoint=path, fingerprint="a")
    again = train_network(movie, tracks, nobody, replace(PARAMS, devices=2), checkpoint=path, fingerprint="a")
    assert max(float((a - b).abs().max()) for a, b in zip(_weights(whole), _weights(again), strict=True)) < 1e-4


def test_what_one_process_cannot_do_is_said(drift) -> None:
    movie, tracks = drift
    torn = Movie(Unreadable(movie.tzyx, os.getpid()), movie.voxel_size_um)
    with pytest.raises(ChunkError, match="the disk is not mounted here"):
        train_network(torn, tracks, tracks, replace(PARAMS, devices=2))


def test_a_process_that_vanishes_is_an_error_and_leaves_nothing_behind() -> None:
    message = r"one of 2 processes ended before its time\.\n.*\[4\](.*\n)+.*train.devices = 1"
    with pytest.raises(TrainingError, match=message), share_work(2, _vanish) as own:
        own.add_up(torch.ones(1))
    assert not torch.distributed.is_initialized()
    with share_work(2, _add_ranks) as own:
        assert own.add_up(torch.tensor([5.0])).tolist() == [6.0]


def test_more_cards_than_there_are_is_an_error(monkeypatch) -> None:
    monkeypatch.setattr(ranks.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError, match=r"2 graphics cards are asked for, 1 are here(.*\n)+.*train.devices = 1"):
        share_work(2, _add_ranks).__enter__()


def test_alone_nothing_is_started() -> None:
    with share_work(1, _vanish) as own:
        assert own is ALONE


def test_a_batch_has_a_crop_for_each_device() -> None:
    with pytest.raises(ValueError, match=r"train.devices = 3 cannot share a batch of 2 crops"):
        TrainParams(devices=3, batch_size=2)
