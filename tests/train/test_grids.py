from __future__ import annotations

from dataclasses import replace

import numpy as np

from morula.core.movie import Movie
from morula.network import spec as spec_module
from morula.network.reach import Reach
from morula.network.spec import choose_network
from morula.train.grids import Geometry, Grid

SPEC = choose_network(np.ones(3), np.full(3, 3.0))


def test_a_crop_is_never_larger_than_a_small_movie_needs() -> None:
    geometry = Geometry.of(Movie(np.zeros((1, 1, 9, 500)), np.ones(3)), SPEC, (12, 24, 24))
    assert geometry.crop_vox == geometry.inputs.shape == geometry.outputs.shape == (8, 16, 48)
    assert geometry.vectors.shape == (4, 8, 24)


def test_all_grids_are_centred_and_their_voxels_are_the_middles_of_finer_ones() -> None:
    coarse = replace(SPEC, stem_stride=(4, 4, 4), output_stride=(2, 2, 2))
    geometry = Geometry.of(Movie(np.zeros((1, 64, 64, 64)), np.array([2.0, 0.5, 0.5])), coarse, (4, 8, 8))
    for grid in (geometry.inputs, geometry.outputs, geometry.vectors):
        assert np.allclose([axis.mean() for axis in grid.axes], 0, atol=1e-5)
    fine, outputs, vectors = (g.points_um() for g in (geometry.inputs, geometry.outputs, geometry.vectors))
    assert np.allclose(outputs[0, 0, 0], fine[:2, :2, :2].reshape(-1, 3).mean(axis=0), atol=1e-5)
    assert np.allclose(vectors[1, 0, 0], outputs[2:4, :2, :2].reshape(-1, 3).mean(axis=0), atol=1e-5)


def test_a_network_without_padding_is_shown_more_on_every_side(monkeypatch) -> None:
    monkeypatch.setitem(spec_module._REACH, "fast", lambda *strides: Reach((5, 5, 5), (2, 4, 6)))
    geometry = Geometry.of(Movie(np.zeros((1, 64, 64, 64)), np.ones(3)), SPEC, (4, 8, 8))
    assert geometry.crop_vox == geometry.outputs.shape == (8, 16, 16)
    assert geometry.inputs.shape == (12, 24, 28)
    assert geometry.inputs.axes[0][2:-2].tolist() == geometry.outputs.axes[0].tolist()


def test_the_reach_of_a_grid_is_its_farthest_voxel() -> None:
    assert Grid((np.array([-1.0, 1.0]), np.array([0.0]), np.array([-2.0, 0.0, 2.0]))).reach_um.tolist() == [1, 0, 2]
