"""A small made-up embryo with everything a report can show: cells that wander and divide, mistakes, a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.evaluation import (
    DivisionScore,
    EdgeErrors,
    EdgeJaccard,
    ErrorFreeCurve,
    Evaluation,
    NodeMeasures,
)
from morula.core.history import TrainingHistory
from morula.core.lineage_errors import LineageErrors
from morula.core.lineages import Lineages
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.view.report_data import LabelledEvaluation, ReportData, SolveFacts, StageTiming, Sureness

SHAPE_TZYX = (20, 20, 128, 144)
VOXEL_UM = np.array([2.0, 0.8, 0.8])
N_CELLS = 60


def _wander(rng: np.random.Generator) -> Tracks:
    """60 cells in a flattened ball wander for 20 frames; about one in eight divides once."""
    size = np.array(SHAPE_TZYX[1:]) * VOXEL_UM
    centre = size / 2
    cells = []
    while len(cells) < N_CELLS:
        place = centre + rng.uniform(-0.46, 0.46, 3) * size
        if (((place - centre) / size) ** 2).sum() < 0.21 and all(np.linalg.norm(place - c) > 7.5 for c, _ in cells):
            cells.append((place, -1))
    t, zyx, parent = [], [], []
    for frame in range(SHAPE_TZYX[0]):
        daughters = []
        for place, mother in cells:
            row = len(t)
            t.append(frame)
            zyx.append(place)
            parent.append(mother)
            swirl = np.array([0.0, place[2] - centre[2], centre[1] - place[1]]) * 0.018
            step = swirl + rng.normal(0, 0.45, 3)
            if 2 < frame < 17 and rng.random() < 0.009:
                apart = rng.normal(0, 1, 3) * [0.4, 1, 1]
                apart *= 3.2 / np.linalg.norm(apart)
                daughters += [(place + step + apart, row), (place + step - apart, row)]
            else:
                daughters.append((place + step, row))
        cells = [(np.clip(place, 2, size - 4), mother) for place, mother in daughters]
    return Tracks(np.array(t), np.array(zyx), np.arange(len(t)), np.array(parent))


def _render(truth: Tracks, rng: np.random.Generator) -> np.ndarray:
    """Gaussian nuclei on a noisy background, uint16 (T, Z, Y, X)."""
    movie = rng.poisson(100, SHAPE_TZYX).astype(np.float32)
    sigma = np.array([3.2, 2.3, 2.3]) / VOXEL_UM
    reach = np.ceil(3 * sigma).astype(int)
    for t, zyx in zip(truth.t, truth.zyx_um, strict=True):
        voxel = zyx / VOXEL_UM
        low = np.maximum(np.rint(voxel).astype(int) - reach, 0)
        high = np.minimum(np.rint(voxel).astype(int) + reach + 1, SHAPE_TZYX[1:])
        axes = [
            np.exp(-0.5 * ((np.arange(a, b) - c) / s) ** 2) for a, b, c, s in zip(low, high, voxel, sigma, strict=True)
        ]
        box = (t, *(slice(a, b) for a, b in zip(low, high, strict=True)))
        movie[box] += 600 * rng.uniform(0.6, 1.2) * np.einsum("z,y,x->zyx", *axes)
    return movie.astype(np.uint16)


def _find(truth: Tracks, rng: np.random.Generator) -> tuple[Detections, Lineages]:
    """The truth, a little off, with a few links cut, and weak detections nobody chose."""
    zyx = truth.zyx_um + rng.normal(0, 0.25, truth.zyx_um.shape)
    parent = np.where(rng.random(truth.n) < 0.004, -1, truth.parent_row)
    chosen = Detections(truth.t, zyx, rng.uniform(0.6, 1, truth.n), np.zeros_like(zyx))
    n_weak = 50
    weak = Detections.sorted(
        rng.integers(0, SHAPE_TZYX[0], n_weak),
        rng.uniform(0, 1, (n_weak, 3)) * np.array(SHAPE_TZYX[1:]) * VOXEL_UM,
        rng.uniform(0.1, 0.3, n_weak),
        np.zeros((n_weak, 3)),
    )
    return Detections.concatenated([chosen, weak]), Lineages.from_parents(chosen, parent)


def _judge(truth: Tracks, rng: np.random.Generator, rate: float, *, dense: bool) -> Evaluation:
    """An evaluation with errors at random truth points, `rate` per link."""
    kinds = ["fn_edge"] * 6 + ["identity_switch"] * 2 + ["fp_division", "one_unconnected_child", "no_connection"]
    rows = np.sort(rng.choice(truth.edges[:, 1], int(rate * truth.n), replace=False))
    kind = rng.choice(kinds, len(rows))
    count = {k: int((kind == k).sum()) for k in set(kinds)}
    n_edges = len(truth.edges)
    window = np.arange(1, 16)
    return Evaluation(
        threshold_um=4.0,
        dense=dense,
        n_truth_points=truth.n,
        n_truth_edges=n_edges,
        n_reconstructed_points=truth.n + 12,
        n_reconstructed_edges=n_edges,
        edge_errors=EdgeErrors(
            matched_edges=n_edges - count["fn_edge"],
            fn_edges=count["fn_edge"],
            identity_switches=count["identity_switch"],
            fp_divisions=count["fp_division"],
            one_unconnected_child=count["one_unconnected_child"],
            no_connection=count["no_connection"],
            unconnected_parents=1,
            fp_edges=17 if dense else None,
            unmatched_near_truth=5,
        ),
        error_free=ErrorFreeCurve(window, (1 - rate) ** (1.3 * window), np.linspace(1100, 300, 15).astype(np.int64)),
        nodes=NodeMeasures(
            matched_points=truth.n - 9,
            node_recall=1 - 0.6 * rate,
            node_precision=0.985 if dense else None,
            localisation_median_um=0.41,
            localisation_p95_um=1.2,
        ),
        divisions=DivisionScore(tolerance_frames=1, tp=6, fp=1, fn=2),
        edge_jaccard=EdgeJaccard(
            distance_um=7.0, tp=n_edges - 20, fp=17, fn=20, n_reconstructed=truth.n + 12, n_true=truth.n
        ),
        errors=LineageErrors(kind, truth.t[rows], truth.zyx_um[rows], truth.id[rows], np.full(len(rows), -1)),
    )


def _learn() -> TrainingHistory:
    step = np.arange(25.0, 1501, 25)
    rng = np.random.default_rng(5)
    val = np.arange(250.0, 1501, 250)
    return TrainingHistory(
        iteration=step,
        indicator_loss=(0.02 + 0.65 * np.exp(-step / 260)) * rng.lognormal(0, 0.06, len(step)),
        movement_loss=(0.18 + 0.9 * np.exp(-step / 500)) * rng.lognormal(0, 0.08, len(step)),
        val_iteration=val,
        val_recall=1 - 0.5 * np.exp(-val / 350),
        val_movement_um=0.55 + 1.6 * np.exp(-val / 400),
        val_no_motion_um=np.full(len(val), 1.92),
    )


@pytest.fixture(scope="session")
def embryo_truth() -> Tracks:
    """The lineages of the made-up embryo."""
    return _wander(np.random.default_rng(3))


@pytest.fixture(scope="session")
def full_data(embryo_truth: Tracks) -> ReportData:
    """A report with every section."""
    rng = np.random.default_rng(7)
    truth = embryo_truth
    detections, lineages = _find(truth, rng)
    of_lineage = truth.lineage_id()
    settings = {
        "train": {"iterations": 1500, "sigma_um": 1.3, "elastic": True},
        "detect": {"threshold": 0.3, "window_um": (3.0, 3.0, 3.0)},
        "solve": {"start_cost": 6.0, "division_cost": 3.0, "free_first_frame": True},
    }
    return ReportData(
        title="A made-up embryo",
        movie=Movie(_render(truth, rng), VOXEL_UM, 90.0, name="embryo.ome.zarr"),
        detections=detections,
        lineages=lineages,
        train=truth.rows(np.isin(of_lineage, [2, 11, 30])),
        val=truth.rows(np.isin(of_lineage, [7, 41])),
        history=_learn(),
        evaluations=(LabelledEvaluation("morula", _judge(truth, rng, 0.012, dense=True), "against the whole truth"),),
        baseline=(
            LabelledEvaluation(
                "blobs + greedy linking", _judge(truth, rng, 0.055, dense=True), "against the whole truth"
            ),
        ),
        sureness=Sureness(
            np.where(lineages.nodes.t == 0, 1.0, 1 - rng.beta(0.2, 8, lineages.nodes.n)),
            rng.uniform(0, 20, lineages.nodes.n),
            "412 links confirmed and 9 contradicted by validation annotations",
        ),
        solve=SolveFacts(detections.n, 4210, "optimal", -1804.21, -1804.21, 0.0, 0.31),
        settings=settings,
        versions={"morula": "0.1.0", "python": "3.11.9", "numpy": "2.3.5", "torch": "2.13.0"},
        stages=(
            StageTiming("train", 148.2, 1500, "iterations"),
            StageTiming("detect", 19.4, 7.37, "megavoxels"),
            StageTiming("candidates", 0.12, detections.n, "detections"),
            StageTiming("solve", 0.31, 4210, "links"),
            StageTiming("evaluate", 0.2),
        ),
        warnings=("frame 9: the movie has no pixels here; its cells were bridged where possible.",),
        made_at="made on 22 November 2026",
    )


@pytest.fixture(scope="session")
def bare_data(full_data: ReportData) -> ReportData:
    """The least a report can be made from: a movie and lineages."""
    return ReportData(title="bare", movie=full_data.movie, detections=full_data.detections, lineages=full_data.lineages)


@pytest.fixture(scope="session")
def change(full_data: ReportData) -> Callable[..., ReportData]:
    """Return the full data with some fields replaced."""
    return lambda **fields: replace(full_data, **fields)
