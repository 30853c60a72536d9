from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.errors import ModelError
from morula.network.spec import NetworkSpec, choose_network

VOXEL = st.tuples(st.floats(0.1, 30), st.floats(0.1, 5), st.floats(0.1, 5))
PLAIN = NetworkSpec(voxel_size_um=(2.0, 1.0, 1.0), stem_stride=(1, 2, 2), downsampling=((1, 2, 2), (2, 2, 2)))


@pytest.mark.parametrize(
    ("voxel", "stem", "downsampling"),
    [
        ((10.0, 1.0, 1.0), (1, 2, 2), ((1, 2, 2), (1, 2, 2))),
        ((1.0, 1.0, 1.0), (2, 2, 2), ((2, 2, 2), (2, 2, 2))),
        ((0.4, 0.4, 0.4), (4, 4, 4), ((2, 2, 2), (2, 2, 2))),
        ((4.0, 4.0, 4.0), (1, 1, 1), ((2, 2, 2), (2, 2, 2))),
        ((100.0, 0.5, 0.5), (1, 4, 4), ((1, 2, 2), (1, 2, 2))),
    ],
    ids=["ten to one", "isotropic", "fine", "coarse", "flat"],
)
def test_strides_follow_the_voxel_size(voxel, stem, downsampling) -> None:
    spec = choose_network(np.array(voxel), np.full(3, 3.0))
    assert (spec.stem_stride, spec.downsampling) == (stem, downsampling)


@given(voxel=VOXEL, radius=st.floats(0.5, 20))
def test_a_nucleus_is_three_to_six_working_voxels_across_where_strides_can_make_it_so(voxel, radius) -> None:
    spec = choose_network(np.array(voxel), np.full(3, radius))
    for stride, fine in zip(spec.vector_stride, voxel, strict=True):
        across = 2 * radius / (fine * stride)
        assert stride in (1, 2, 4, 8)
        assert across >= 3 - 1e-9 or stride == 1
        assert across <= 6 + 1e-9 or stride == 8


@given(voxel=VOXEL, radius=st.floats(0.5, 20))
def test_the_indicator_is_twice_as_fine_but_never_finer_than_the_movie(voxel, radius) -> None:
    spec = choose_network(np.array(voxel), np.full(3, radius))
    for size, output, vector, fine in zip(
        spec.output_voxel_um, spec.output_stride, spec.vector_stride, voxel, strict=True
    ):
        assert size == pytest.approx(fine * output)
        assert output == max(1, vector // 2)
    assert set(spec.outputs_per_vector) <= {1, 2}


@given(voxel=VOXEL, radius=st.floats(0.5, 20))
def test_deeper_levels_never_shrink_an_axis_that_is_already_the_coarse_one(voxel, radius) -> None:
    spec = choose_network(np.array(voxel), np.full(3, radius))
    size = np.array(voxel) * spec.vector_stride
    for factor in spec.downsampling:
        assert (np.array(factor)[size > 1.5 * size.min()] == 1).all()
        assert (np.array(factor)[size <= 1.5 * size.min()] == 2).all()
        size = size * factor
    assert np.allclose(size / voxel, spec.total_stride)


def test_a_voxel_of_either_grid_lies_in_the_middle_of_its_input_voxels() -> None:
    spec = replace(PLAIN, stem_stride=(1, 2, 4), output_stride=(1, 1, 2))
    index, voxel = np.array([[0, 0, 0], [1, 1, 1.5]]), np.array([2.0, 1.0, 0.5])
    assert spec.vector_centre_um(index, voxel).tolist() == [[0.0, 0.5, 0.75], [2.0, 2.5, 3.75]]
    assert spec.output_centre_um(index, voxel).tolist() == [[0.0, 0.0, 0.25], [2.0, 1.0, 1.75]]


def test_a_network_that_pads_trims_nothing_and_sees_as_many_frames_before_as_after() -> None:
    assert PLAIN.trim_vox == (0, 0, 0)
    assert [replace(PLAIN, input_frames=n).frames_around for n in (3, 5, 7)] == [1, 2, 3]


@given(voxel=VOXEL)
def test_a_description_survives_json(voxel) -> None:
    spec = choose_network(np.array(voxel), np.full(3, 3.0))
    for one in (spec, replace(spec, event_offset=(-1.5, 0.25), input_frames=5)):
        assert NetworkSpec.from_dict(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "slow"}, "weights are of the network 'slow', known are fast"),
        ({"channels": (4, 8)}, "2 channel counts for 3 levels"),
        ({"channels": (4, 8, 10**9)}, "impossible channels"),
        ({"channels": (4, 8, -1)}, "impossible channels"),
        ({"voxel_size_um": (0.0, 1.0, 1.0)}, "impossible voxel sizes"),
        ({"voxel_size_um": (1.0, 1.0)}, "impossible voxel sizes"),
        ({"voxel_size_um": (float("nan"), 1.0, 1.0)}, "impossible voxel sizes"),
        ({"stem_stride": (1, 3, 2)}, "impossible strides"),
        ({"downsampling": ((1, 2, 2), (0, 2, 2))}, "impossible strides"),
        ({"output_stride": (1, 1, 4)}, "impossible strides"),
        ({"output_stride": (1, 1)}, "impossible strides"),
        ({"input_frames": 4}, "impossible input frames"),
        ({"input_frames": 1}, "impossible input frames"),
        ({"event_offset": (1.0,)}, "impossible event offsets"),
        ({"event_offset": (1.0, float("nan"))}, "impossible event offsets"),
        ({"low_percentile": 99.8}, "impossible percentiles"),
        ({"stem_stride": (1, 3, 2), "input_frames": 4}, "impossible strides, input frames"),
    ],
)
def test_a_network_that_cannot_be_is_refused(changes, message) -> None:
    with pytest.raises(ModelError, match=message):
        replace(PLAIN, **changes)


@pytest.mark.parametrize(
    "values",
    [None, [], "fast", {}, {"voxel_size_um": [1, 1, 1]}, {**PLAIN.to_dict(), "depth": 3}]
    + [
        {**PLAIN.to_dict(), name: "nonsense"} for name in ("voxel_size_um", "stem_stride", "channels", "low_percentile")
    ],
)
def test_a_damaged_description_is_refused(values) -> None:
    with pytest.raises(ModelError, match=r"description cannot be read|impossible|channel counts"):
        NetworkSpec.from_dict(values)
