"""From margins to probabilities, learned from the few pasts that annotations confirm or contradict.

A logistic model of what speaks for a link (`pasts.FEATURES`), fitted with a prior: weights learned on simulated tissues
are pulled by the annotations as far as they speak. So without annotations it says what is usual, with a hundred links
it says what is so here. Signs are kept (a larger margin never speaks against a link, a longer way never for it), and no
probability is taken to 0 or 1. Starts are counted instead: sparse annotations can only contradict them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from morula.core.columns import BoolArray, FloatArray
from morula.core.confidence import Confidence, Margins
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.core.tracks import Tracks
from morula.tune.pasts import RIGHT, UNKNOWN, WRONG, Pasts, describe_pasts, judge_pasts

_CENTRE = np.array([-0.14, 0.3, 0.0, 0.0, 0.01])
_SPREAD = np.array([0.7, 1.7, 1.0, 1.0, 0.08])
"""Centre and spread of each of `FEATURES`, as they are usual: what a weight is the weight of."""

_USUAL = np.array([5.4, 1.2, -3.1, 0.35, 0.45, -0.1])
"""Constant and weights where nothing is annotated (``benchmarks/bench_confidence.py --prior``)."""

_DOUBT = np.array([1.5, 0.5, 1.5, 0.4, 0.4, 0.2])
"""Standard deviations of those: how far annotations easily pull them."""

_BOUNDS = [(None, None), (0, None), (None, 0), (0, None), (0, None), (None, None)]

_START_RIGHT, _START_WRONG = 1.0, 4.0
"""Starts right and wrong before any is judged: cells rarely appear from nowhere."""

_CAUTION = 100
"""No probability is nearer to 0 or 1 than one part in the number of judged links plus this."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A fitted model.

    Parameters
    ----------
    weights
        Constant and weight of each of `FEATURES`, shape (6,).
    start_right
        Probability that a start is one.
    n_right, n_wrong
        Judged links it was fitted to.
    """

    weights: FloatArray
    start_right: float
    n_right: int
    n_wrong: int

    def predict(self, pasts: Pasts) -> FloatArray:
        """Return the probability that each past is right, shape (n,)."""
        caution = 1.0 / (self.n_right + self.n_wrong + _CAUTION)
        z = _design(pasts.features) @ self.weights
        linked = np.clip(1 / (1 + np.exp(-np.clip(z, -50, 50))), caution, 1 - caution)
        return np.where(pasts.linked, linked, self.start_right)

    def describe(self) -> str:
        """Say what it rests on."""
        if not self.n_right + self.n_wrong:
            return "usual values: no validation annotation speaks about any link"
        return f"{self.n_right} links confirmed and {self.n_wrong} contradicted by validation annotations"


def fit_calibration(pasts: Pasts, verdict: npt.NDArray[np.int8]) -> Calibration:
    """Fit the model to the pasts that were judged.

    Parameters
    ----------
    pasts
        All pasts.
    verdict
        `RIGHT`, `WRONG` or `UNKNOWN` for each, shape (n,).
    """
    judged = pasts.linked & (verdict != UNKNOWN)
    right = verdict[judged] == RIGHT
    starts = np.count_nonzero(~pasts.linked & (verdict == WRONG))
    return Calibration(
        weights=fit_weights(pasts.features[judged], right),
        start_right=_START_RIGHT / (_START_RIGHT + _START_WRONG + starts),
        n_right=int(right.sum()),
        n_wrong=int((~right).sum()),
    )


def estimate_confidence(
    graph: CandidateGraph,
    selection: Selection,
    margins: Margins,
    annotations: Tracks,
    *,
    max_distance_um: float,
    free_start: BoolArray,
) -> Confidence:
    """Estimate how probably the past of each selected cell is right.

    Parameters
    ----------
    graph, selection, margins
        What was chosen, and what deciding otherwise would cost.
    annotations
        Validation annotations: seen by no network; may be empty.
    max_distance_um
        Largest distance of an annotated and a found point taken for the same cell, µm.
    free_start
        Nodes at which a track begins without cost, shape (n,): there is nothing to decide.

    Returns
    -------
    confidence
        With `past_right` 1 where there was nothing to decide, NaN for nodes that were left.
    """
    chosen = selection.node_selected
    past = margins.of_pasts(graph.edges, chosen, selection.edge_selected)
    pasts = describe_pasts(graph, selection, past)
    verdict = judge_pasts(Lineages.from_selection(graph, selection), annotations, max_distance_um)
    decided = np.isfinite(past[chosen]) & (pasts.linked | ~free_start[chosen])
    verdict[~decided] = UNKNOWN
    calibration = fit_calibration(pasts, verdict)
    right = np.full(graph.nodes.n, np.nan)
    right[chosen] = np.where(decided, calibration.predict(pasts), 1.0)
    return Confidence(margins=margins, past_margin=past, past_right=right, basis=calibration.describe())


def _design(features: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(features)), (features - _CENTRE) / _SPREAD])


def fit_weights(features: FloatArray, right: BoolArray, *, doubt: float = 1.0) -> FloatArray:
    """Find the most probable weights, given links, whether each is right, and the prior.

    Parameters
    ----------
    features
        What speaks for each link, shape (k, 5).
    right
        Whether it is right, shape (k,).
    doubt
        Factor on the standard deviations of the prior; large where weights shall follow the links alone.

    Returns
    -------
    weights
        Constant and weight of each feature, shape (6,).
    """
    design, target, spread = _design(features), right.astype(np.float64), doubt * _DOUBT

    def cost(weights: FloatArray) -> tuple[float, FloatArray]:
        z, off = design @ weights, (weights - _USUAL) / spread
        chance = 1 / (1 + np.exp(-np.clip(z, -50, 50)))
        value = np.logaddexp(0, z).sum() - target @ z + 0.5 * off @ off
        return float(value), design.T @ (chance - target) + off / spread

    return np.asarray(minimize(cost, _USUAL, jac=True, bounds=_BOUNDS, method="L-BFGS-B").x)
