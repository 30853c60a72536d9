from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.candidates.flow import estimate_flow_um, spread_flow

HOW = {"reach_um": 10.0, "neighbours": 8}
SHIFT = np.array([2.0, -3.0, 5.0])


def _turn(degrees):
    angle = np.radians(degrees)
    return np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])


def _move(tissue, change):
    """Cells of a later frame whose tissue was moved: ``later − middle = change · (earlier − middle) + shift``."""
    middle = tissue.mean(axis=0)
    return (tissue - middle) @ np.asarray(change).T + middle + SHIFT


def _spoil(points, rng, *, missed=0.2, false=0.2, error_um=0.4):
    """Rows kept, and points with errors, without some and with some that are none, which come last."""
    kept = np.flatnonzero(rng.random(len(points)) >= missed)
    junk = rng.uniform(points.min(axis=0), points.max(axis=0), (int(false * len(points)), 3))
    return kept, np.concatenate([points[kept] + rng.normal(0, error_um, (len(kept), 3)), junk])


def _off(flow, later, tissue):
    return np.linalg.norm(flow - (tissue - later), axis=1)


SHEAR = np.eye(3) + 0.06 * np.eye(3, k=1)
STRETCH = np.diag([1.06, 0.95, 1.03])


@pytest.mark.parametrize("change", [np.eye(3), _turn(5), _turn(12), SHEAR, STRETCH, _turn(-4) @ SHEAR @ STRETCH])
def test_a_tissue_that_shifts_turns_shears_and_stretches_is_followed_without_a_network(tissue, change):
    later = _move(tissue, change)
    off = _off(estimate_flow_um(later, np.zeros((300, 3)), tissue, **HOW), later, tissue)
    assert (off < 1.0).mean() > 0.97
    assert np.median(off) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_missing_false_and_displaced_cells_hardly_matter(tissue, seed):
    rng = np.random.default_rng(seed)
    later = _move(tissue, _turn(12))  # one vote, or two, follow four cells of five only
    kept, seen = _spoil(later, rng)
    _, earlier = _spoil(tissue, rng)
    off = _off(estimate_flow_um(seen, np.zeros((len(seen), 3)), earlier, **HOW)[: len(kept)], later[kept], tissue[kept])
    assert (off < 2.0).mean() > 0.9
    assert np.median(off) < 0.7


def test_vectors_of_a_network_that_are_right_lead_beyond_what_cells_alone_could_tell(tissue):
    far = np.array([0.0, 0.0, 25.0])
    said = np.random.default_rng(0).normal(0, 1.0, (300, 3)) - far
    off = _off(estimate_flow_um(tissue + far, said, tissue, **HOW), tissue + far, tissue)
    alone = _off(estimate_flow_um(tissue + far, np.zeros((300, 3)), tissue, **HOW), tissue + far, tissue)
    assert np.percentile(off, 97) < 0.5
    assert np.median(alone) > 5.0


@pytest.mark.parametrize("error_um", [0.8, 3.0])
def test_vectors_of_a_network_that_are_about_right_do_no_harm_and_votes_repair_a_region_where_they_are_not(
    tissue, error_um
):
    rng = np.random.default_rng(1)
    later = _move(tissue, SHEAR)
    said = tissue - later + rng.normal(0, error_um, (300, 3))
    region = np.argsort(((tissue - tissue[150]) ** 2).sum(axis=1))[:60]
    said[region] += [9.0, 0.0, 0.0]  # about the spacing: some neighbours are laid on earlier cells, and they agree
    off = _off(estimate_flow_um(later, said, tissue, **HOW), later, tissue)
    assert (off < 1.0).mean() > 0.97
    assert np.median(off) < 0.1


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_cells_changes_nothing(tissue, seed):
    rng = np.random.default_rng(seed)
    _, seen = _spoil(_move(tissue, SHEAR), rng)
    said = rng.normal(0, 3.0, seen.shape)
    flow = estimate_flow_um(seen, said, tissue, **HOW)
    order, other = rng.permutation(len(seen)), rng.permutation(300)
    again = estimate_flow_um(seen[order], said[order], tissue[other], **HOW)
    assert again == pytest.approx(flow[order], abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.125, 4.0, 1024.0]))
def test_the_unit_of_length_changes_nothing(tissue, seed, scale):
    rng = np.random.default_rng(seed)
    _, seen = _spoil(_move(tissue, _turn(4)), rng)
    said = rng.normal(0, 3.0, seen.shape)
    one = estimate_flow_um(seen, said, tissue, **HOW)
    other = estimate_flow_um(seen * scale, said * scale, tissue * scale, reach_um=10.0 * scale, neighbours=8)
    assert other / scale == pytest.approx(one, abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_where_the_tissue_lies_changes_nothing(tissue, seed):
    rng = np.random.default_rng(seed)
    _, seen = _spoil(_move(tissue, STRETCH), rng)
    said, there = rng.normal(0, 3.0, seen.shape), rng.integers(-4000, 4000, 3)
    one, other = (estimate_flow_um(seen + at, said, tissue + at, **HOW) for at in (0, there))
    assert other == pytest.approx(one, abs=1e-6)


def test_of_fewer_than_six_cells_the_vectors_of_the_network_are_returned(tissue):
    said = np.random.default_rng(0).normal(0, 3.0, (300, 3))
    assert estimate_flow_um(tissue[:5], said[:5], tissue, **HOW).tolist() == said[:5].tolist()
    assert estimate_flow_um(tissue, said, tissue[:5], **HOW).tolist() == said.tolist()
    assert estimate_flow_um(tissue[:0], said[:0], tissue, **HOW).shape == (0, 3)


def test_six_cells_are_enough(tissue):
    six = np.argsort(((tissue - tissue[150]) ** 2).sum(axis=1))[:6]
    flow = estimate_flow_um(tissue[six] + SHIFT, np.tile(-SHIFT, (6, 1)), tissue[six], **HOW)
    assert flow == pytest.approx(np.tile(-SHIFT, (6, 1)), abs=1e-4)


def test_cells_all_in_one_place_do_not_break_it(tissue):
    same = np.zeros((20, 3))
    assert np.isfinite(estimate_flow_um(same, same, tissue, **HOW)).all()
    assert np.isfinite(estimate_flow_um(tissue, np.zeros((300, 3)), same, **HOW)).all()


def test_other_cells_follow_the_nearest_that_has_a_flow():
    flow = spread_flow(
        np.array([[0, 0, 1.0], [0, 0, 9.0]]),
        np.array([[0, 0, 0.0], [0, 0, 10.0]]),
        np.array([[1.0, 2, 3], [4, 5, 6]]),
    )
    assert flow.tolist() == [[1, 2, 3], [4, 5, 6]]
