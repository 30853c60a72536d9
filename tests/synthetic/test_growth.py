from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from morula.core.tracks import Tracks
from morula.synthetic.growth import grow_embryo
from morula.synthetic.params import EmbryoParams


@pytest.fixture(scope="module")
def grown() -> Tracks:
    return grow_embryo(EmbryoParams(), cells=133, seed=0)


def test_every_parent_is_one_frame_earlier_and_only_the_first_frame_has_roots(grown: Tracks) -> None:
    parent, child = grown.edges.T
    assert (grown.t[child] - grown.t[parent] == 1).all()
    assert (grown.t[grown.parent_row < 0] == 0).all()


def test_neighbours_stay_about_one_spacing_apart_in_every_frame(grown: Tracks) -> None:
    for t in range(32):
        zyx_um = grown.zyx_um[grown.t == t]
        nearest = cKDTree(zyx_um).query(zyx_um, 2)[0][:, 1]
        assert nearest.min() > 4.0
        assert np.median(nearest) == pytest.approx(9.0, rel=0.1)


def test_cells_move_a_substantial_part_of_their_spacing(grown: Tracks) -> None:
    parent, child = grown.edges.T
    step_um = np.linalg.norm(grown.zyx_um[child] - grown.zyx_um[parent], axis=1)
    assert 2.0 < np.median(step_um) < 4.0
    assert np.percentile(step_um, 99) < 9.0


def test_daughters_start_near_each_other_and_part_to_full_spacing(grown: Tracks) -> None:
    child = np.flatnonzero(grown.parent_row >= 0)
    child = child[np.argsort(grown.parent_row[child], kind="stable")]
    twin = np.flatnonzero(np.diff(grown.parent_row[child]) == 0)
    pairs = np.stack([child[twin], child[twin + 1]], axis=1)
    first = np.linalg.norm(np.diff(grown.zyx_um[pairs], axis=1)[:, 0], axis=1)
    assert 4.0 < np.median(first) < 6.0
    heir = {int(parent): int(row) for row, parent in enumerate(grown.parent_row) if parent >= 0}
    later = [(a, b) for a, b in pairs.tolist() if a in heir and b in heir]
    for _ in range(4):
        later = [(heir[a], heir[b]) for a, b in later if a in heir and b in heir]
    gap = [float(np.linalg.norm(grown.zyx_um[a] - grown.zyx_um[b])) for a, b in later]
    assert len(gap) > 10
    assert np.median(gap) > 7.5


def test_divisions_are_asynchronous(grown: Tracks) -> None:
    frames = grown.t[grown.n_children == 2]
    assert len(np.unique(frames)) > 12
    assert np.bincount(frames).max() <= 0.2 * len(frames)


def test_without_deaths_every_cell_has_a_child_and_with_deaths_some_have_none() -> None:
    few = {"cells": 60, "frames": 8, "cycle_frames": 40.0}
    immortal = grow_embryo(EmbryoParams(**few, death_rate=0.0), cells=60, seed=1)
    mortal = grow_embryo(EmbryoParams(**few, death_rate=0.05), cells=60, seed=1)
    assert (immortal.n_children[immortal.t < 7] > 0).all()
    assert (mortal.n_children[mortal.t < 7] == 0).sum() > 5


def test_the_same_seed_grows_the_same_embryo_and_another_seed_another() -> None:
    params = EmbryoParams(cells=20, frames=4)
    once, again, other = (grow_embryo(params, cells=20, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(once.zyx_um, again.zyx_um)
    np.testing.assert_array_equal(once.parent_row, again.parent_row)
    assert not np.array_equal(once.zyx_um[:20], other.zyx_um[:20])


def test_an_embryo_of_which_every_cell_dies_is_empty_from_then_on() -> None:
    tracks = grow_embryo(EmbryoParams(cells=5, frames=3, death_rate=1.0), cells=5, seed=0)
    assert tracks.t.tolist() == [0] * 5
