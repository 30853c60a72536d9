"""Peers of the accuracy table: blobs, greedy linking, LapTrack and motile, each from detections to tracks.

Owns the adapters only; which settings are used is chosen in `accuracy_tuning`. All of them link after the rigid drift
between frames is removed, estimated from points as morula does: a stage jump would break every one of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from morula.candidates.drift import estimate_drift_um
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.columns import FloatArray
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.measure.blobs import measure_blob_search
from morula.peaks.classical import BlobSearch, cut_for_blobs, find_block_blobs, rate_blobs
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import Problem

MAX_PARENTS = 5


class BlobSource:
    """Difference-of-Gaussians detections of a movie at thresholds relative to the split of noise and nuclei."""

    def __init__(self, movie: Movie, *, sigma_um: float, window_um: float) -> None:
        self.movie, self.sigma_um, self.window_um = movie, sigma_um, window_um
        self._found: dict[float, Detections] = {}
        self._split: BlobSearch | None = None

    def detect(self, factor: float) -> Detections:
        """Return the blobs that answer with at least `factor` times the split."""
        if factor not in self._found:
            if self._split is None:
                self._split = measure_blob_search(self.movie, sigma_um=self.sigma_um, window_um=self.window_um)
            self._found[factor] = self._search(replace(self._split, threshold=factor * self._split.threshold))
        return self._found[factor]

    def _search(self, search: BlobSearch) -> Detections:
        blocks = cut_for_blobs(self.movie, search, (1, *self.movie.shape[1:]))
        parts = [find_block_blobs(block, movie=self.movie, search=search).detections for block in blocks]
        return rate_blobs(Detections.concatenated(parts))


def take_truth(truth: Tracks) -> Detections:
    """Return the true positions as detections, all equally sure: what the oracle links."""
    return Detections.sorted(truth.t, truth.zyx_um, np.ones(truth.n), np.zeros((truth.n, 3)))


def forget_movement(detections: Detections) -> Detections:
    """Return the same positions and scores without movement vectors: distance alone is left to link them."""
    return Detections.sorted(detections.t, detections.zyx_um, detections.score, np.zeros((detections.n, 3)))


def measure_distances(detections: Detections, *, reach_um: float, power: float = 1.0) -> CandidateGraph:
    """Offer links between consecutive frames by distance alone, drift removed.

    Parameters
    ----------
    detections
        Detections without movement vectors.
    reach_um
        Longest link, µm.
    power
        The distance d becomes ``reach * (d / reach) ** power``: 1 leaves it, 2 is proportional to its square.
    """
    params = CandidatesParams(
        max_distance_um=reach_um, max_parents=MAX_PARENTS, flow_neighbours=0, allow_unlinkable=True
    )
    graph = link_candidates(detections, params)
    return replace(graph, distance_um=reach_um * (graph.distance_um / reach_um) ** power)


def remove_drift(detections: Detections, *, reach_um: float) -> FloatArray:
    """Return the positions shifted so that no frame has a rigid drift against the one before, µm, shape (n, 3)."""
    still = detections.zyx_um.copy()
    for t in range(1, int(detections.t.max(initial=0)) + 1):
        here, before = detections.frame(t), detections.frame(t - 1)
        if here.stop > here.start and before.stop > before.start:
            still[here] -= estimate_drift_um(still[here], still[before], max_distance_um=reach_um)
    return still


def link_with_laptrack(detections: Detections, still_um: FloatArray, *, reach_um: float, split_um: float) -> Tracks:
    """Link with LapTrack: frame-to-frame assignment, then splits where a track begins; no gaps are closed.

    Parameters
    ----------
    detections
        Detections; their movement is not used.
    still_um
        Their positions without drift (`remove_drift`), µm, shape (n, 3).
    reach_um
        Longest link, µm (LapTrack's `cutoff` is its square).
    split_um
        Longest link of a second daughter, µm; 0 for no splits.
    """
    from laptrack import LapTrack

    tracker = LapTrack(
        cutoff=reach_um**2, gap_closing_cutoff=False, splitting_cutoff=split_um**2 if split_um else False
    )
    frames = [detections.frame(t) for t in range(int(detections.t.max(initial=-1)) + 1)]
    tree = tracker.predict([still_um[rows] for rows in frames])
    parent = np.full(detections.n, -1)
    for (t, index), (child_t, child_index) in tree.edges():
        parent[frames[child_t].start + child_index] = frames[t].start + index
    return Lineages.from_parents(detections, parent).tracks


@dataclass(frozen=True, eq=False)
class MotileTracks:
    """What motile chose, whether SCIP proved it in the time allowed, and wall seconds of model and search."""

    tracks: Tracks
    proven: bool
    seconds: float


def link_with_motile(graph: CandidateGraph, params: SolveParams, *, timeout_s: float) -> MotileTracks:
    """Choose the cheapest forest with motile and SCIP, one thread; the best found so far when the time is over."""
    from motile_model import solve_with_motile

    began = time.perf_counter()
    problem = Problem(graph.edges, price_graph(graph, params))
    choice = solve_with_motile(problem, graph.nodes.t, timeout_s=timeout_s)
    objective = problem.price(choice.node_selected, choice.edge_selected)
    selection = Selection(
        node_selected=choice.node_selected,
        edge_selected=choice.edge_selected,
        objective=objective,
        lower_bound=objective if choice.optimal else -np.inf,
        status="optimal" if choice.optimal else "feasible",
        seconds=time.perf_counter() - began,
    )
    return MotileTracks(Lineages.from_selection(graph, selection).tracks, choice.optimal, selection.seconds)
