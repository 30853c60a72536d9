"""What judging a reconstruction against the truth leaves behind: counts, curves, ratios.

Holds results and the ratios that follow from them; it matches nothing and judges nothing (that is `morula.evaluate`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from morula.core.columns import FloatArray, IntArray, ReadOnlyColumns, column
from morula.core.lineage_errors import LineageErrors
from morula.core.movement_errors import MovementErrors, list_figures

JsonNumber = float | int | bool | None
JsonValue = JsonNumber | list[JsonNumber]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeErrors:
    """Errors along annotated edges (Malin-Mayor et al. 2023).

    Parameters
    ----------
    matched_edges
        Truth edges with a reconstructed edge.
    fn_edges
        Truth edges without one.
    identity_switches
        Truth points inside a track whose two matched edges meet at two different reconstructed points.
    fp_divisions
        Reconstructed divisions that are none; with sparse truth only where the truth speaks.
    one_unconnected_child, no_connection
        The two kinds of missed division: one daughter not joined to the mother, or none.
    unconnected_parents
        Divisions found but not joined to the mother's past; beside the sum, they break no lineage.
    fp_edges
        Reconstructed edges without a truth edge; None with sparse truth, which cannot know.
    unmatched_near_truth
        Reconstructed edges without a truth edge although both ends lie within the threshold of truth points: with
        sparse truth a hint of extra links, not a count of errors.
    """

    matched_edges: int
    fn_edges: int
    identity_switches: int
    fp_divisions: int
    one_unconnected_child: int
    no_connection: int
    unconnected_parents: int
    fp_edges: int | None
    unmatched_near_truth: int

    @property
    def fn_divisions(self) -> int:
        """Missed divisions of both kinds."""
        return self.one_unconnected_child + self.no_connection

    @property
    def sum_of_errors(self) -> int:
        """FN edges + identity switches + false divisions + missed divisions."""
        return self.fn_edges + self.identity_switches + self.fp_divisions + self.fn_divisions


@dataclass(frozen=True, slots=True, eq=False)
class ErrorFreeCurve(ReadOnlyColumns):
    """Share of lineage segments without an error, by their length.

    Parameters
    ----------
    window_frames
        Length w of the segments in frames, 1 … W, shape (W,).
    fraction
        Share without an error, shape (W,); NaN where no segment is that long.
    n_segments
        Number of segments that were long enough to count, shape (W,).
    """

    window_frames: IntArray
    fraction: FloatArray
    n_segments: IntArray

    def __post_init__(self) -> None:
        n = len(self.window_frames)
        object.__setattr__(self, "window_frames", column(self.window_frames, np.int64, (n,), "window_frames"))
        object.__setattr__(self, "n_segments", column(self.n_segments, np.int64, (n,), "n_segments"))
        view = np.asarray(self.fraction, np.float64).reshape(n).view()  # NaN is meant here, so not through column()
        view.flags.writeable = False
        object.__setattr__(self, "fraction", view)

    @property
    def last(self) -> float:
        """Share at the full window W; NaN where no segment is that long."""
        return float(self.fraction[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMeasures:
    """How well single nuclei were found, from a one-to-one matching per frame.

    Parameters
    ----------
    matched_points
        Truth points with a reconstructed point.
    node_recall
        Their share of the truth points; NaN without truth.
    node_precision
        Share of the reconstructed points that have a truth point; None with sparse truth, which cannot know.
    localisation_median_um, localisation_p95_um
        Median and 95th percentile of the distance of matched points, µm; NaN without a match.
    """

    matched_points: int
    node_recall: float
    node_precision: float | None
    localisation_median_um: float
    localisation_p95_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DivisionScore:
    """Divisions found within a tolerance in time.

    Parameters
    ----------
    tolerance_frames
        A reconstructed division may come this many frames early or late.
    tp, fp, fn
        Found, false and missed divisions.
    """

    tolerance_frames: int
    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        """TP / (TP + FP); NaN without a reconstructed division that counts."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); NaN without a true division."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN without any division."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def jaccard(self) -> float:
        """TP / (TP + FP + FN); NaN without any division."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeJaccard:
    """The adjusted edge Jaccard of the 2026 Biohub zebrafish benchmark.

    Parameters
    ----------
    distance_um
        Largest distance of matched points, µm.
    tp, fp, fn
        Edges found, contradicted by the truth, and missed.
    n_reconstructed
        Number of reconstructed points that count.
    n_true
        Estimate of the true number of cells in all frames together; None where nobody knows.
    """

    distance_um: float
    tp: int
    fp: int
    fn: int
    n_reconstructed: int
    n_true: int | None

    @property
    def jaccard(self) -> float:
        """J = TP / (TP + FP + FN); NaN without an edge."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def adjusted(self) -> float:
        """max(0, J · (1 − 0.1 · (n_R − n_T) / n_T)); NaN where n_T is unknown."""
        excess = math.nan if self.n_true is None else _ratio(self.n_reconstructed - self.n_true, self.n_true)
        value = self.jaccard * (1 - 0.1 * excess)
        return value if math.isnan(value) else max(0.0, value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Everything said about one reconstruction; the exact definitions stand in ``docs/metrics.md``.

    Parameters
    ----------
    threshold_um
        Largest distance of a match, µm.
    dense
        Whether the truth was taken to name every cell.
    n_truth_points, n_truth_edges
        Truth that was judged (the scored part, where a part was left out).
    n_reconstructed_points, n_reconstructed_edges
        Size of the whole reconstruction.
    edge_errors, error_free, nodes, divisions, edge_jaccard
        The measures.
    errors
        Where each error is.
    movement, daughter_movement
        Errors of the movement vectors, of all cells and of daughters in their first frame; None without vectors.
    """

    threshold_um: float
    dense: bool
    n_truth_points: int
    n_truth_edges: int
    n_reconstructed_points: int
    n_reconstructed_edges: int
    edge_errors: EdgeErrors
    error_free: ErrorFreeCurve
    nodes: NodeMeasures
    divisions: DivisionScore
    edge_jaccard: EdgeJaccard
    errors: LineageErrors
    movement: MovementErrors | None = None
    daughter_movement: MovementErrors | None = None

    @property
    def sum_of_errors(self) -> int:
        """FN edges + identity switches + false divisions + missed divisions."""
        return self.edge_errors.sum_of_errors

    @property
    def errors_per_edge(self) -> float:
        """Sum of errors per annotated edge; NaN without an edge."""
        return _ratio(self.sum_of_errors, self.n_truth_edges)

    @property
    def fn_edges_per_edge(self) -> float:
        """Missing edges per annotated edge; NaN without an edge."""
        return _ratio(self.edge_errors.fn_edges, self.n_truth_edges)

    @property
    def score(self) -> float:
        """Adjusted edge Jaccard + 0.1 · division Jaccard; the second term is left out where there is no division."""
        division = self.divisions.jaccard
        return self.edge_jaccard.adjusted + (0.0 if math.isnan(division) else 0.1 * division)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return all figures as plain numbers for JSON, flat; what is undefined or unknown is None."""
        flat: dict[str, JsonValue] = {
            "threshold_um": self.threshold_um,
            "dense": self.dense,
            "n_truth_points": self.n_truth_points,
            "n_truth_edges": self.n_truth_edges,
            "n_reconstructed_points": self.n_reconstructed_points,
            "n_reconstructed_edges": self.n_reconstructed_edges,
        }
        flat |= {f.name: getattr(self.edge_errors, f.name) for f in fields(self.edge_errors)}
        flat["fn_divisions"] = self.edge_errors.fn_divisions
        for name in ("sum_of_errors", "errors_per_edge", "fn_edges_per_edge"):
            flat[name] = getattr(self, name)
        flat |= {f.name: getattr(self.nodes, f.name) for f in fields(self.nodes)}
        for name in ("tolerance_frames", "tp", "fp", "fn", "precision", "recall", "f1", "jaccard"):
            flat[f"division_{name}"] = getattr(self.divisions, name)
        for name in ("distance_um", "tp", "fp", "fn", "n_true", "jaccard", "adjusted"):
            flat[f"edge_jaccard_{name}"] = getattr(self.edge_jaccard, name)
        flat["score"] = self.score
        flat |= list_figures("movement", self.movement) | list_figures("daughter_movement", self.daughter_movement)
        flat["error_free_fraction"] = [_finite(value) for value in self.error_free.fraction.tolist()]
        flat["error_free_segments"] = self.error_free.n_segments.tolist()
        return {name: value if isinstance(value, list) else _finite(value) for name, value in flat.items()}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _finite(value: JsonNumber) -> JsonNumber:
    return None if isinstance(value, float) and not math.isfinite(value) else value
