"""Derived settings scale with nuclei and spacing, and say why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.measure.measurements import Measurements
from morula.measure.motion import Drift, Motion
from morula.measure.settings import derive_settings

EMBRYO = Measurements(
    frames=(0, 5),
    n_points=200,
    n_links=190,
    n_divisions=3,
    n_outside=0,
    share_on_blobs=0.98,
    blob_sigma_um=1.47,
    blob_threshold=30.0,
    nucleus_radius_um=(2.6, 2.1, 2.1),
    spacing_um=9.0,
    nuclei_per_frame=150.0,
    motion=Motion(1.0, 2.5, 2.2, 4.4, (4.0, 5.0), None),
    drifts=(Drift(0, (0.0, 0.3, 0.0)),),
    signal=300.0,
    background=100.0,
    noise=20.0,
    intensity_percentiles=((2.0, 90.0), (99.7, 350.0)),
)
VOXEL = (2.0, 0.5, 0.5)


def test_a_usual_embryo_gets_the_settings_that_worked_on_such_embryos():
    derived = derive_settings(EMBRYO, VOXEL)
    np.testing.assert_allclose(derived.target_sigma_um, (1.4, 0.95, 0.95), atol=0.05)
    assert derived.mask_radius_um == 3.5
    assert derived.peak_window_um == 2.5
    assert derived.blob_sigma_um == 1.5
    assert derived.max_distance_um == 5.4
    assert derived.sister_distance_um == (4.5, 6.4)
    assert derived.warnings == ()


@pytest.mark.parametrize(
    ("sisters", "known"),
    [
        ((4.0,), (4.0, 5.6)),  # nobody knows how far the next pair lies
        ((4.0, 5.0), (4.5, 6.4)),  # two say next to nothing about their spread
        ((4.0,) * 25, (4.0, 4.3)),  # alike by chance
        ((4.4, 4.9, 5.0, 5.1, 5.1, 5.7, 6.1, 6.3, 6.7), (5.1, 7.3)),
        ((4.0,) * 20 + (9.0,), (4.0, 9.0)),  # what was seen can be
    ],
)
def test_the_more_daughters_are_annotated_the_less_is_added_to_their_distance(sisters, known):
    movie = replace(EMBRYO, motion=replace(EMBRYO.motion, sisters_um=sisters))
    assert derive_settings(movie, VOXEL).sister_distance_um == pytest.approx(known)


def test_hardly_any_pair_exceeds_the_largest_distance():
    rng, above = np.random.default_rng(0), []
    for _ in range(200):
        distances = rng.normal(10.0, 1.5, 8)
        movie = replace(EMBRYO, motion=replace(EMBRYO.motion, sisters_um=tuple(distances[:-1])))
        above.append(distances[-1] > derive_settings(movie, VOXEL).sister_distance_um[1])
    assert 0.005 <= np.mean(above) <= 0.05


def test_without_annotated_daughters_their_distance_is_unknown():
    nobody = replace(EMBRYO, motion=replace(EMBRYO.motion, sisters_um=()))
    assert derive_settings(nobody, VOXEL).sister_distance_um is None


def test_every_setting_has_a_reason_with_its_figures():
    derived = derive_settings(EMBRYO, VOXEL)
    names = set(derived.__dataclass_fields__) - {"reasons", "warnings"}
    assert set(derived.reasons) == names
    assert "9.0 µm" in derived.reasons["mask_radius_um"]
    assert "2.2 µm per frame" in derived.reasons["max_distance_um"]


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 50))
def test_all_lengths_scale_with_the_unit(factor):
    scaled = replace(
        EMBRYO,
        blob_sigma_um=EMBRYO.blob_sigma_um * factor,
        nucleus_radius_um=tuple(r * factor for r in EMBRYO.nucleus_radius_um),
        spacing_um=(EMBRYO.spacing_um or 0) * factor,
        motion=Motion(1.0 * factor, 2.5 * factor, 2.2 * factor, 4.4 * factor, (4.0 * factor, 5.0 * factor), None),
    )
    one, other = derive_settings(EMBRYO, VOXEL), derive_settings(scaled, np.array(VOXEL) * factor)
    names = ("mask_radius_um", "peak_window_um", "match_distance_um", "blob_sigma_um", "max_distance_um")
    for name in (*names, "sister_distance_um"):
        assert getattr(other, name) == pytest.approx(np.multiply(getattr(one, name), factor), rel=0.1)


@settings(max_examples=100, deadline=None)
@given(st.floats(1, 20), st.floats(0.4, 6), st.floats(0.4, 12), st.floats(0, 100))
def test_no_setting_reaches_over_to_the_neighbour(spacing, wide, deep, motion):
    measured = replace(
        EMBRYO,
        spacing_um=spacing,
        nucleus_radius_um=(deep, wide, wide),
        motion=Motion(motion, motion, motion, None, (), None),
    )
    derived = derive_settings(measured, (0.1, 0.1, 0.1))
    assert derived.mask_radius_um <= 0.5 * spacing
    assert derived.peak_window_um <= 0.5 * spacing
    assert max(derived.target_sigma_um) <= 0.2 * spacing
    assert 0.55 * spacing <= derived.max_distance_um <= 1.6 * spacing


def test_thick_slices_set_the_least_width_of_the_target():
    assert derive_settings(EMBRYO, (5.0, 0.5, 0.5)).target_sigma_um[0] == 3.5


def test_a_frame_with_a_single_nucleus_falls_back_on_its_size():
    derived = derive_settings(replace(EMBRYO, spacing_um=None), VOXEL)
    assert derived.max_distance_um == pytest.approx(5.3, abs=0.2)


def test_wide_flat_nuclei_get_a_window_narrower_than_themselves():
    """As in Fluo-N3DH-CHO, where 1.4 half-widths hid a dim cell in mitosis beside a bright neighbour."""
    flat = replace(EMBRYO, nucleus_radius_um=(1.2, 6.7, 6.7), spacing_um=18.7)
    assert derive_settings(flat, (1.0, 0.2, 0.2)).peak_window_um == 6.0


def test_nuclei_blurred_along_z_get_a_window_that_spans_the_blur():
    deep = replace(EMBRYO, nucleus_radius_um=(3.0, 2.1, 2.1))
    assert derive_settings(deep, VOXEL).peak_window_um == 2.8


def test_daughters_that_part_widely_widen_the_reach():
    fast = replace(EMBRYO, motion=Motion(1.0, 2.5, 2.2, 7.0, (4.0,), None))
    assert derive_settings(fast, VOXEL).max_distance_um == 8.4


def test_a_person_is_warned_of_what_no_setting_mends():
    bad = replace(
        EMBRYO,
        motion=Motion(15.0, 20.0, 18.0, None, (), None),
        drifts=(Drift(7, (0.0, 20.0, 0.0)),),
        noise=150.0,
        share_on_blobs=0.3,
        n_outside=4,
    )
    text = "\n".join(derive_settings(bad, VOXEL).warnings)
    for words in (
        "jumps by 20.0 µm between frames 7 and 8",
        "18.0 µm per frame",
        "1.3 times the noise",
        "30%",
        "4 annot",
    ):
        assert words in text
