"""Learning all cost weights from sparse annotations: a structured support vector machine with margin rescaling.

With φ(y) the features of a forest y, its cost is w·φ(y). Let y* be the cheapest forest that agrees with all labels (see
`labels`) and E(y) the number of labels a forest goes against. Then, as for motile's ``fit_weights``, the weights sought
minimise a penalty and the loss::

    max over y of  w·φ(y*) − w·φ(y) + E(y)

A forest with an error has to cost more than the right one, by more the more errors it has. Differences from motile:

* The penalty is on departures from the given weights, not on the weights; their common scale is free.
* Where y* and the worst forest differ, they do so in parts that can be chosen one by one (`changes`). Parts that touch
  no label are left out: there y* is a guess, and the loss would ask to make the guess again. All others are planes
  of their own, so that one solution of the graph teaches as much as all its mistakes (cutting planes with memory,
  Joachims, Finley and Yu, "Cutting-plane training of structural SVMs", 2009).
* y* depends on the weights where annotations are silent. It is found anew after each round (latent variables, Yu and
  Joachims, "Learning structural SVMs with latent variables", 2009).

Owns the rounds. Solving is done by `morula.solve`, at a gap that is loose on purpose: any forest gives a valid plane.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, Pins
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.solve.ilp.exact import solve_exactly
from morula.solve.params import SolveParams
from morula.solve.problem.costs import Costs
from morula.solve.problem.problem import Problem
from morula.solve.solution import Limits
from morula.tune.changes import Mistakes, compare_choices
from morula.tune.features import NAMES, Choice, Features
from morula.tune.labels import label_graph
from morula.tune.neighbourhood import cut_around
from morula.tune.planes import find_lowest_point
from morula.tune.prior import Prior
from morula.tune.scores import calibrate_scores

_LOG = logging.getLogger(__name__)

_ROUNDS = 2
_MOST_SOLUTIONS = 30
"""Solutions of the graph in a round; 3 to 15 are usual."""
_MOST_PLANES = 60
"""Planes taken from memory between two solutions."""
_CLOSE = 0.02
"""A round ends when the value is within this part (or this number of errors, if larger) of its lower bound."""
_LOOSE_GAP = 0.02
"""Relative gap of the solutions: the relaxation, rounded; a forest that is not the worst gives a plane all the same."""


@dataclass(frozen=True, slots=True)
class LearnedWeights:
    """What was learned.

    Parameters
    ----------
    params
        The given settings with learned weights; the edge weight is as given.
    labels
        Number of links that annotations label right or wrong.
    solutions
        How often the graph was solved.
    """

    params: SolveParams
    labels: int
    solutions: int


def learn_weights(
    graph: CandidateGraph,
    annotations: Tracks,
    given: SolveParams,
    *,
    max_distance_um: float,
    spread: float = 0.3,
    extent_um: FloatArray | None = None,
    progress: ProgressSink = ignore_progress,
) -> LearnedWeights:
    """Learn the weights with which annotated links are the cheapest choice, by a margin.

    Parameters
    ----------
    graph
        Candidate graph of the whole movie.
    annotations
        Some lineages; not those the network has learned from, on which its scores are too good.
    given
        Settings to depart from.
    max_distance_um
        Largest distance of an annotated point and the detection taken for it, µm.
    spread
        Relative departure from the given weights that weighs as much as half an error.
    extent_um
        Extent of the movie, for free starts at its faces.
    progress
        Hears of every solution.

    Returns
    -------
    learned
        The same for the same input; given weights if no link is labelled.

    Raises
    ------
    SolveError
        If the solver finds no forest.
    """
    labels = label_graph(graph, annotations, max_distance_um=max_distance_um)
    n_labels = int((labels.edge != FREE).sum())
    if not n_labels:
        return LearnedWeights(given, 0, 0)
    start = calibrate_scores(
        np.array([getattr(given, name) for name in NAMES], np.float64), graph.nodes.score[labels.node == IN]
    )
    features = Features.of(graph, given, extent_um=extent_um)
    prior = Prior.around(start, spread=spread, silent=features.find_silent())
    lesson = _Lesson(*cut_around(features, labels), progress)
    point = prior.begin()
    for _ in range(_ROUNDS):
        point = _improve(lesson, prior, point)
    weights = prior.normalise(point, start)
    _LOG.debug("learned %s at scale %.3g", dict(zip(NAMES, weights.round(3).tolist(), strict=True)), point[0])
    learned = replace(given, **dict(zip(NAMES, weights.tolist(), strict=True)))
    return LearnedWeights(learned, n_labels, lesson.solutions)


class _Lesson:
    """A labelled graph that can be solved: as the labels say, or as wrongly as the weights allow."""

    def __init__(self, features: Features, labels: Pins, progress: ProgressSink) -> None:
        self.features, self.labels, self.progress = features, labels, progress
        self.solutions = 0
        self.seen: list[Choice] = []

    def solve_rightly(self, weights: FloatArray) -> Choice:
        """Return the cheapest forest that agrees with all labels."""
        return self._solve(self.features.price(weights), self.labels)

    def solve_wrongly(self, weights: FloatArray) -> Choice:
        """Return the forest that is cheapest if every label it goes against lowers its cost by 1."""
        costs = self.features.price(weights)
        tempted = replace(costs, edge=costs.edge + self.labels.edge)
        worst = self._solve(tempted, Pins.none(0, 0))
        self.seen.append(worst)
        return worst

    def compare(self, right: Choice, wrong: Choice) -> Mistakes:
        return compare_choices(self.features, self.labels, right, wrong)

    def _solve(self, costs: Costs, pins: Pins) -> Choice:
        solution = solve_exactly(Problem(self.features.edges, costs, pins), Limits(gap=_LOOSE_GAP))
        self.solutions += 1
        most = _ROUNDS * (_MOST_SOLUTIONS + 1)
        self.progress(Progress("tune", self.solutions, most, "solutions", "at most"))
        return Choice(solution.node_selected, solution.edge_selected)


def _improve(lesson: _Lesson, prior: Prior, point: FloatArray) -> FloatArray:
    """Find the best point for the forest that is right with the present weights."""
    right, penalty = lesson.solve_rightly(prior.weigh(point)), prior.penalise(float(point[0]))
    memory = [lesson.compare(right, wrong) for wrong in lesson.seen]
    slopes, offsets = np.zeros((0, len(point))), np.zeros(0)
    best, least, bound = point, np.inf, -np.inf
    for _ in range(_MOST_SOLUTIONS):
        memory.append(lesson.compare(right, lesson.solve_wrongly(prior.weigh(point))))
        value = penalty.measure(point, _find_worst(memory, prior.weigh(point))[0])
        if value < least:
            best, least = point, value
        if least - bound <= _CLOSE * max(1.0, least):
            break
        for _ in range(_MOST_PLANES):
            _, slope, offset = _find_worst(memory, prior.weigh(point))
            slopes, offsets = np.vstack([slopes, slope @ prior.axes]), np.append(offsets, offset)
            point, loss, bound = find_lowest_point(slopes, offsets, penalty)
            if _find_worst(memory, prior.weigh(point))[0] <= loss + 1e-3 * max(1.0, loss):
                break
    return best


def _find_worst(memory: list[Mistakes], weights: FloatArray) -> tuple[float, FloatArray, float]:
    return max((mistakes.find_plane(weights) for mistakes in memory), key=lambda plane: plane[0])
