from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from morula.network.prediction import Prediction
from morula.train.loss import compute_losses, spread_share
from morula.train.params import TrainParams
from morula.train.targets import Targets

SHAPE = (4, 6, 6)
PARAMS = TrainParams(iterations=1000, movement_spread=0.0)
LATE = 1000


def _targets(seed: int = 0, **changes) -> Targets:
    rng = np.random.default_rng(seed)
    near = rng.random(SHAPE) < 0.3
    drawn = {
        "indicator": rng.random(SHAPE).astype(np.float32),
        "near": near,
        "background": ~near & (rng.random(SHAPE) < 0.5),
        "movement_um": rng.normal(0, 2, (3, *SHAPE)).astype(np.float32),
        "moving": near & (rng.random(SHAPE) < 0.5),
        "events": rng.integers(-1, 2, (2, *SHAPE)).astype(np.float32),
    }
    return Targets(**{**drawn, **changes})


def _prediction(seed: int = 1, batch: int = 1) -> Prediction:
    rng = np.random.default_rng(seed)
    shapes = [(batch, *SHAPE), (batch, 3, *SHAPE), (batch, 2, *SHAPE)]
    return Prediction(*(torch.from_numpy(rng.normal(0, 1, s).astype(np.float32)).requires_grad_() for s in shapes))


def _silence(batch: int = 1) -> Prediction:
    return Prediction(torch.zeros(batch, *SHAPE), torch.zeros(batch, 3, *SHAPE), torch.zeros(batch, 2, *SHAPE))


def _smooth_l1(prediction: Prediction, targets: Targets) -> np.ndarray:
    error = np.abs(prediction.movement_um[0].detach().numpy() - targets.movement_um)
    return np.where(error < 1, 0.5 * error**2, error - 0.5).sum(axis=0)


def test_the_switch_is_half_done_at_a_twentieth_and_scales_with_the_run() -> None:
    for iterations in (100, 1600, 400_000):
        params = TrainParams(iterations=iterations, movement_spread=0.0)
        assert spread_share(0, params) == 1.0
        assert spread_share(iterations // 20, params) == pytest.approx(0.5)
        assert spread_share(iterations, params) == pytest.approx(0.0, abs=1e-20)


def test_over_the_published_length_the_switch_is_the_published_one() -> None:
    params = TrainParams(iterations=400_000, movement_spread=0.0)
    for i in (19_000, 19_900, 20_000, 20_137, 21_000):
        assert spread_share(i, params) == pytest.approx(1 / (1 + np.exp(0.01 * (i - 20_000))), rel=1e-6)


@given(spread=st.floats(0, 1), iterations=st.integers(1, 10**6), share=st.floats(0, 1))
def test_the_switch_falls_from_one_to_the_share_that_stays(spread, iterations, share) -> None:
    params = TrainParams(iterations=iterations, movement_spread=spread)
    here, later = (spread_share(round(s * iterations), params) for s in (share, min(1.0, share + 0.1)))
    assert spread <= later <= here <= 1.0


@pytest.mark.parametrize("kind", ["cross_entropy", "squared"])
@pytest.mark.parametrize("iteration", [0, LATE])
def test_there_is_a_gradient_only_where_something_is_known(kind, iteration) -> None:
    targets, prediction = _targets(), _prediction()
    losses = compute_losses(prediction, [targets], iteration, replace(PARAMS, indicator_loss=kind))
    (losses.indicator + losses.movement + losses.events).backward()
    indicator, movement, events = (np.abs(part.grad[0].numpy()) for part in prediction)
    known = targets.near | targets.background
    assert (indicator[known] > 0).all()
    assert (indicator[~known] == 0).all()
    assert (movement[:, ~targets.moving] == 0).all()
    assert (movement > 0).any()
    assert np.array_equal(events > 0, targets.events >= 0)


def test_nuclei_and_background_weigh_the_same_however_many_voxels_they_have() -> None:
    near, background = np.zeros(SHAPE, bool), np.ones(SHAPE, bool)
    near[0, 0, 0], background[0, 0, 0] = True, False
    targets = _targets(indicator=near.astype(np.float32), near=near, background=background)
    prediction = _silence()
    assert float(compute_losses(prediction, [targets], 0, PARAMS).indicator) == pytest.approx(2 * np.log(2))
    squared = compute_losses(prediction, [targets], 0, replace(PARAMS, indicator_loss="squared"))
    assert float(squared.indicator) == pytest.approx(0.25 + 0.25)


def test_early_the_movement_counts_on_the_whole_mask() -> None:
    targets, prediction = _targets(), _prediction()
    loss = compute_losses(prediction, [targets], 0, PARAMS).movement
    assert float(loss.detach()) == pytest.approx(_smooth_l1(prediction, targets)[targets.moving].mean(), rel=1e-5)


def test_late_the_movement_counts_at_predicted_peaks_inside_the_mask() -> None:
    moving = np.ones(SHAPE, bool)
    moving[:, :, 3:] = False
    targets, prediction = _targets(moving=moving), _silence()
    prediction.movement_um[0] = torch.from_numpy(np.random.default_rng(2).normal(0, 1, (3, *SHAPE)).astype(np.float32))
    prediction.indicator[0] = -torch.arange(np.prod(SHAPE), dtype=torch.float32).reshape(
        SHAPE
    )  # one peak, at the corner
    prediction.indicator[0, 3, 5, 5] = 7.0  # and one outside the mask
    prediction.indicator[0, 3, 4, 1] = 7.0
    expected = _smooth_l1(prediction, targets)[[0, 3], [0, 4], [0, 1]].mean()
    assert float(compute_losses(prediction, [targets], LATE, PARAMS).movement) == pytest.approx(expected, rel=1e-5)
    half = compute_losses(prediction, [targets], LATE, replace(PARAMS, movement_spread=0.25)).movement
    whole = _smooth_l1(prediction, targets)[moving].mean()
    assert float(half) == pytest.approx(0.25 * whole + 0.75 * expected, rel=1e-5)


def test_a_batch_where_nothing_is_known_costs_nothing() -> None:
    nothing = np.zeros(SHAPE, bool)
    prediction = _prediction()
    for iteration in (0, LATE):
        unknown = np.full((2, *SHAPE), -1, np.float32)
        targets = _targets(near=nothing, background=nothing, moving=nothing, events=unknown)
        losses = compute_losses(prediction, [targets], iteration, PARAMS)
        assert [float(part.detach()) for part in (losses.indicator, losses.movement, losses.events)] == [0.0] * 3


def test_all_crops_of_a_batch_count() -> None:
    targets, prediction = [_targets(seed) for seed in range(3)], _prediction(batch=3)
    together = compute_losses(prediction, targets, 0, PARAMS).movement
    voxels = [int(t.moving.sum()) for t in targets]
    alone = [
        float(compute_losses(Prediction(*(p[i : i + 1] for p in prediction)), [t], 0, PARAMS).movement.detach())
        for i, t in enumerate(targets)
    ]
    assert float(together.detach()) == pytest.approx(np.average(alone, weights=voxels), rel=1e-5)


def test_a_peak_of_the_fine_indicator_counts_for_the_vector_of_its_voxel() -> None:
    """Two output voxels per vector on y and x: the highest lies in the vectors' voxel (1, 2, 4)."""
    fine = np.zeros((4, 12, 12), np.float32)
    nothing = dict.fromkeys(("near", "background"), fine > 0)
    targets = _targets(moving=np.ones(SHAPE, bool), indicator=fine, **nothing)
    prediction = _prediction()._replace(indicator=-torch.arange(4 * 12 * 12.0).reshape(1, 4, 12, 12))
    prediction.indicator[0, 1, 5, 8] = 9.0
    expected = _smooth_l1(prediction, targets)[[0, 1], [0, 2], [0, 4]].mean()
    loss = compute_losses(prediction, [targets], LATE, PARAMS).movement
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


def test_the_events_cost_their_cross_entropy_where_they_are_known() -> None:
    events = np.full((2, *SHAPE), -1, np.float32)
    events[0, 0, 0, :2], events[1, 1, 1, 1] = [1, 0], 1
    prediction = _silence()
    prediction.events[0, 0, 0, 0, 0] = 2.0
    loss = compute_losses(prediction, [_targets(events=events)], 0, PARAMS).events
    assert float(loss) == pytest.approx((np.log1p(np.exp(-2.0)) + 2 * np.log(2)) / 3, rel=1e-5)


def test_a_network_without_events_costs_nothing_for_them() -> None:
    losses = compute_losses(_silence()._replace(events=None), [_targets()], 0, PARAMS)
    assert float(losses.events) == 0.0
