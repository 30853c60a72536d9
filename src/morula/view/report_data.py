"""Everything the report page shows, handed over by the pipeline: results and facts, nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from morula.core.columns import FloatArray
from morula.core.confidence import Confidence
from morula.core.detections import Detections
from morula.core.evaluation import Evaluation
from morula.core.graph import CandidateGraph
from morula.core.history import TrainingHistory
from morula.core.lineages import Lineages, Selection, SolveStatus
from morula.core.movie import Movie
from morula.core.tracks import Tracks


@dataclass(frozen=True, slots=True)
class StageTiming:
    """How long one stage took and how much it did.

    Parameters
    ----------
    name
        The stage: train, detect, candidates, ...
    seconds
        Wall time.
    amount, unit
        What went through: 12.5 megavoxels, 9700 detections; 0 and an empty unit where nothing is counted.
    """

    name: str
    seconds: float
    amount: float = 0.0
    unit: str = ""

    @property
    def rate(self) -> float | None:
        """Units per second; None where nothing is counted or no time passed."""
        return self.amount / self.seconds if self.unit and self.seconds > 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class LabelledEvaluation:
    """One column of the table of errors.

    Parameters
    ----------
    label
        Who is judged: ``morula``, ``blobs + greedy linking``.
    evaluation
        The judgement.
    note
        Against what, in words: ``against the truth of the synthetic embryo``, ``against the validation annotations``.
    """

    label: str
    evaluation: Evaluation
    note: str = ""


@dataclass(frozen=True, slots=True)
class SolveFacts:
    """How the lineages were chosen and how good the choice is known to be.

    Parameters
    ----------
    n_candidates, n_links
        Nodes and edges of the candidate graph.
    status
        optimal, feasible or greedy, see `SolveStatus`.
    objective, lower_bound, gap
        Cost of the choice, what no choice can undercut, and their relative distance.
    seconds
        Wall time of the solver.
    """

    n_candidates: int
    n_links: int
    status: SolveStatus
    objective: float
    lower_bound: float
    gap: float
    seconds: float

    @classmethod
    def of(cls, graph: CandidateGraph, selection: Selection) -> SolveFacts:
        """Take the facts from a graph and the selection made in it."""
        s = selection
        return cls(graph.nodes.n, graph.n_edges, s.status, s.objective, s.lower_bound, s.gap, s.seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Sureness:
    """How sure the past of each cell is, in the row order of the lineages.

    Parameters
    ----------
    right
        Probability that the decided past (its parent, or none) is right, shape (n,); 1 where there was nothing to
        decide.
    margin
        What another past would cost more at least, shape (n,), in the unit of the costs (µm).
    basis
        What the probabilities rest on, in words.
    """

    right: FloatArray
    margin: FloatArray
    basis: str

    @classmethod
    def of(cls, confidence: Confidence, selection: Selection) -> Sureness:
        """Take what concerns the selected cells."""
        chosen = selection.node_selected
        return cls(confidence.past_right[chosen], confidence.past_margin[chosen], confidence.basis)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportData:
    """What one report page is made from.

    Parameters
    ----------
    title
        Name of the embryo or run.
    movie
        The movie; a few frames of it are read.
    detections, lineages
        All detections, and the lineages chosen among them.
    train, val
        Annotations learned from and held out; None where there are none.
    history
        Training history; None where no model was trained in this run.
    evaluations
        Judgements of the lineages, the most telling first (dense truth before validation annotations); may be empty.
    baseline
        The same judgements of the baseline.
    sureness
        How sure the past of each cell is; None where the lineages come from elsewhere.
    solve
        Facts about the optimisation; None where the lineages come from elsewhere.
    settings
        Settings by stage and name.
    versions
        Versions by name of the program or library.
    stages
        Times in the order of the pipeline.
    warnings
        What a reader must know: absent frames, blocks that failed, limits that were reached.
    made_at
        When the run was made, as the page shall print it; empty to print nothing (the page never asks the clock).
    """

    title: str
    movie: Movie
    detections: Detections
    lineages: Lineages
    train: Tracks | None = None
    val: Tracks | None = None
    history: TrainingHistory | None = None
    evaluations: tuple[LabelledEvaluation, ...] = ()
    baseline: tuple[LabelledEvaluation, ...] = ()
    sureness: Sureness | None = None
    solve: SolveFacts | None = None
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[StageTiming, ...] = ()
    warnings: tuple[str, ...] = ()
    made_at: str = ""
