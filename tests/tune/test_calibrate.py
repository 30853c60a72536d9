from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.confidence import Margins
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.core.tracks import Tracks
from morula.tune.calibrate import estimate_confidence, fit_calibration
from morula.tune.pasts import RIGHT, UNKNOWN, WRONG, Pasts

TRUE_WEIGHTS = np.array([3.0, 1.5, -1.0])


def make_links(n: int, seed: int) -> tuple[Pasts, np.ndarray, np.ndarray]:
    """Links whose margin and distance say how probably each is right; that probability, and whether it is."""
    rng = np.random.default_rng(seed)
    log_margin, distance = rng.normal(-0.1, 0.7, n), np.abs(rng.normal(1, 0.6, n))
    excess = np.maximum(distance - 1, 0) ** 2
    features = np.column_stack([log_margin, excess, np.zeros(n), np.zeros(n), np.zeros(n)])
    z = np.column_stack([np.ones(n), (log_margin + 0.14) / 0.7, (excess - 0.3) / 1.7]) @ TRUE_WEIGHTS
    chance = 1 / (1 + np.exp(-z))
    return Pasts(np.ones(n, bool), features), chance, rng.random(n) < chance


def test_probabilities_learned_from_some_links_hold_for_the_others() -> None:
    pasts, chance, right = make_links(20_000, seed=1)
    verdict = np.where(right, RIGHT, WRONG).astype(np.int8)
    verdict[2000:] = UNKNOWN
    found = fit_calibration(pasts, verdict).predict(pasts)[2000:]
    parts = np.array_split(np.argsort(found), 15)
    off = np.mean([abs(found[part].mean() - right[2000:][part].mean()) for part in parts])
    assert off < 0.02
    assert np.abs(found - chance[2000:]).mean() < 0.02


def test_with_hardly_any_annotation_the_usual_values_hold() -> None:
    pasts, _, right = make_links(100, seed=2)
    nothing = np.full(100, UNKNOWN, np.int8)
    one = nothing.copy()
    one[0] = RIGHT if right[0] else WRONG
    usual, with_one = fit_calibration(pasts, nothing), fit_calibration(pasts, one)
    assert np.abs(usual.predict(pasts) - with_one.predict(pasts)).max() < 0.1
    assert "no validation annotation speaks" in usual.describe()
    assert with_one.describe().startswith(f"{int(right[0])} links confirmed and {int(not right[0])} contradicted")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(0, 30), share=st.floats(0, 1))
def test_whatever_is_annotated_a_larger_margin_never_lowers_a_probability(seed: int, n: int, share: float) -> None:
    """Verdicts are drawn without regard to the links, so they may say the opposite of what is true."""
    pasts, _, _ = make_links(60, seed)
    rng = np.random.default_rng(seed)
    verdict = np.full(60, UNKNOWN, np.int8)
    verdict[:n] = np.where(rng.random(n) < share, RIGHT, WRONG)
    calibration = fit_calibration(pasts, verdict)
    wider, longer = pasts.features.copy(), pasts.features.copy()
    wider[:, 0] += 0.5
    longer[:, 1] += 0.5
    chance = calibration.predict(pasts)
    assert ((chance > 0) & (chance < 1)).all()
    assert (calibration.predict(replace(pasts, features=wider)) >= chance).all()
    assert (calibration.predict(replace(pasts, features=longer)) <= chance).all()


def test_starts_that_annotations_contradict_are_believed_less() -> None:
    pasts = Pasts(np.zeros(20, bool), np.zeros((20, 5)))
    before = fit_calibration(pasts, np.full(20, UNKNOWN, np.int8)).predict(pasts)
    after = fit_calibration(pasts, np.full(20, WRONG, np.int8)).predict(pasts)
    assert before.tolist() == pytest.approx([0.2] * 20)
    assert after.tolist() == pytest.approx([0.04] * 20)


def test_where_nothing_was_decided_there_is_no_doubt_and_what_was_left_has_no_past() -> None:
    """The start in t0 is free; the link 0 → 1 is pinned; 3 begins a track in t1; 2 was left.

    t0    t1
     0 ==> 1
           2
           3
    """
    nodes = Detections(np.array([0, 1, 1, 1]), np.diag([1.0, 2, 3, 4])[:, :3], np.full(4, 0.8), np.zeros((4, 3)))
    graph = CandidateGraph(nodes=nodes, edges=np.array([[0, 1]]), distance_um=np.array([1.0]))
    selection = Selection(np.array([True, True, False, True]), np.array([True]), 0.0, 0.0, "optimal", 0.0)
    margins = Margins(node=np.ones(4), edge=np.array([np.inf]), lower_bound=0.0)
    confidence = estimate_confidence(
        graph,
        selection,
        margins,
        Tracks.from_ids([], [], [], []),
        max_distance_um=2.0,
        free_start=nodes.t == 0,
    )
    np.testing.assert_allclose(confidence.past_right, [1.0, 1.0, np.nan, 0.2])
    assert confidence.past_margin.tolist() == [1.0, np.inf, 1.0, 1.0]
