"""What a run holds: its lineages, tuned weights and figures, read back for export, report and printed summary.

Owns no computation: everything here was computed by a stage and is only gathered.
"""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from morula import __version__
from morula.config import RunConfig, list_result_settings
from morula.core.columns import FloatArray
from morula.core.detections import Detections
from morula.core.lineages import Lineages, Selection
from morula.core.tracks import Tracks
from morula.errors import ConfigError, StoreError
from morula.inputs import Inputs
from morula.io.tracks.files import TracksWriteFormat, read_tracks, write_tracks
from morula.io.tracks.graphs import GraphFile
from morula.judge import judge_tracks
from morula.learning import read_history
from morula.solve.params import SolveParams
from morula.store.paths import RunPaths
from morula.store.reader import StoreReader
from morula.store.run_directory import RunDirectory, view_run
from morula.view.report_data import ReportData, SolveFacts, StageTiming, Sureness

_LIBRARIES = ("numpy", "scipy", "torch", "zarr", "tensorstore", "tifffile", "geff", "highspy", "pydantic")


def collect_versions() -> dict[str, str]:
    """Versions of morula, Python and the libraries whose numbers end up in results."""
    return {
        "morula": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _LIBRARIES},
    }


def collect_report(run: RunDirectory, inputs: Inputs, config: RunConfig) -> ReportData:
    """Gather what the report shows from a run whose stages are done."""
    graph, selection = run.store.read_graph(), run.store.read_selection()
    lineages, confidence = Lineages.from_selection(graph, selection), run.store.find_confidence()
    baseline = read_tracks(run.paths.exports / "baseline.csv")
    return ReportData(
        title=inputs.movie.name,
        movie=inputs.movie,
        detections=graph.nodes,
        lineages=lineages,
        train=inputs.train if inputs.train.n else None,
        val=inputs.val if inputs.val.n else None,
        history=read_history(run, config.train) if config.model.weights is None else None,
        evaluations=judge_tracks(lineages.tracks, inputs, config.evaluate, movement_um=lineages.nodes.movement_um),
        baseline=judge_tracks(baseline, inputs, config.evaluate, label="blobs + greedy linking"),
        sureness=None if confidence is None else Sureness.of(confidence, selection),
        solve=SolveFacts.of(graph, selection),
        settings=_settings(run, config),
        versions=collect_versions(),
        stages=_timings(run),
        warnings=tuple(failed.error for failed in run.store.read_failed_blocks("detect")),
    )


def _settings(run: RunDirectory, config: RunConfig) -> dict[str, dict[str, object]]:
    tables: dict[str, dict[str, object]] = {
        name: dict(values) for name, values in list_result_settings(config).items() if isinstance(values, dict)
    }
    tuned = run.store.require_stage("tune").summary
    tables["solve"] |= tuned["weights"] if isinstance(tuned["weights"], dict) else {}
    tables["tune"]["outcome"] = tuned["why"]
    return tables


def _timings(run: RunDirectory) -> tuple[StageTiming, ...]:
    timings = []
    for record in run.store.read_stages():
        amount, unit = record.summary.get("amount", 0.0), record.summary.get("unit", "")
        if record.state == "done" and isinstance(amount, int | float):
            timings.append(StageTiming(record.name, record.seconds, float(amount), str(unit)))
    return tuple(timings)


def read_lineages(store: StoreReader) -> Lineages:
    """Return the lineages of a run."""
    return Lineages.from_selection(store.read_graph(), store.read_selection())


def read_tuned_settings(store: StoreReader, params: SolveParams) -> SolveParams:
    """Return the settings of the solver with the weights that tuning chose in this run."""
    weights = store.require_stage("tune").summary["weights"]
    if not isinstance(weights, dict):
        raise StoreError("the tuned weights cannot be read.", fix="run `morula run` again with another --run-dir")
    return replace(params, **weights)  # type: ignore[arg-type]


def read_sureness(store: StoreReader) -> Sureness | None:
    """Return how sure the lineages of a run are; None while that is not known."""
    confidence = store.find_confidence()
    return None if confidence is None else Sureness.of(confidence, store.read_selection())


def export_lineages(
    lineages: Lineages,
    path: Path,
    kind: TracksWriteFormat,
    *,
    sureness: Sureness | None = None,
    overwrite: bool = False,
) -> None:
    """Write lineages to a file, with further columns of every point where the format has room.

    These are score, tracklet and lineage, where the network said it `divides` and `born`, and where `sureness` is known
    `confidence`, the probability that the parent (or that there is none) is right, and `margin`, what another would
    cost more.
    """
    columns: dict[str, npt.NDArray[np.generic]] = {}
    if kind != "napari":
        columns |= _list_scores(lineages.nodes)
        if sureness is not None:
            columns |= {"confidence": sureness.right.round(6), "margin": sureness.margin.round(6)}
    if kind == "csv":  # GEFF always names tracklets and lineages
        columns |= {"tracklet_id": lineages.tracklet_id, "lineage_id": lineages.lineage_id}
    write_tracks(lineages.tracks, path, format=kind, columns=columns, overwrite=overwrite)


def _list_scores(nodes: Detections) -> dict[str, npt.NDArray[np.generic]]:
    """Return the columns in which the network's word is written; without division scores `score` alone."""
    return {"score": nodes.score, **{name: getattr(nodes, name) for name in nodes.known_division_columns}}


def export_run(run_dir: Path, path: Path, kind: str, *, overwrite: bool = False) -> Lineages:
    """Write the lineages of a run directory to a file, also while a run goes on there.

    Raises
    ------
    ConfigError
        If the format is unknown.
    StoreError
        If the run has no lineages yet.
    """
    if kind not in get_args(TracksWriteFormat):
        raise ConfigError(f"--format {kind}: unknown.", fix=f"one of {', '.join(get_args(TracksWriteFormat))}")
    with view_run(run_dir) as run:
        lineages, sureness = read_lineages(run.store), read_sureness(run.store)
    export_lineages(lineages, path, kind, sureness=sureness, overwrite=overwrite)  # type: ignore[arg-type]
    return lineages


def write_solution(
    file: GraphFile, selection: Selection, path: Path, *, past_margin: FloatArray | None = None, overwrite: bool = False
) -> None:
    """Write the lineages chosen in a candidate graph file as GEFF, nodes under the ids they have there.

    `past_margin` is what another past of each node of the graph would cost more, shape (n,), written as `margin`.
    """
    lineages = Lineages.from_selection(file.graph, selection)
    tracks = Tracks(
        t=lineages.tracks.t,
        zyx_um=lineages.tracks.zyx_um,
        id=file.node_id[selection.node_selected],
        parent_row=lineages.parent_row,
    )
    columns = _list_scores(lineages.nodes)
    if past_margin is not None:
        columns["margin"] = past_margin[selection.node_selected]
    write_tracks(tracks, path, format="geff", columns=columns, overwrite=overwrite)


def read_result(run_dir: Path, *, store: str | None = None) -> dict[str, Any]:
    """Return the figures of a finished run: evaluations by judge, seconds by stage, and where to look.

    `store` is its address, where nothing else knows the password.
    """
    paths = RunPaths(run_dir)
    with view_run(run_dir, store=store) as run:
        seconds = {record.name: record.seconds for record in run.store.read_stages()}
        selection = run.store.read_selection()
    figures = json.loads((paths.exports / "evaluation.json").read_text(encoding="utf-8"))
    return {
        **figures,
        "solve": {"status": selection.status, "objective": selection.objective, "gap": selection.gap},
        "seconds": seconds,
        "lineages": str(paths.exports / "lineages.csv"),
        "report": str(paths.report),
    }


_PRINTED = {
    "nodes found (recall)": "node_recall",
    "nodes right (precision)": "node_precision",
    "missed links per link": "fn_edges_per_edge",
    "errors per link": "errors_per_edge",
    "error-free lineages": "error_free_fraction",
    "divisions found (F1)": "division_f1",
}


def describe_result(result: dict[str, Any]) -> str:
    """Put the figures of a run into a small table for the terminal."""
    lines = []
    for note, figures in result["morula"].items():
        other = result["baseline"][note]
        window = len(figures["error_free_fraction"])
        lines += [note, f"  {'':<34}{'morula':>10}{'baseline':>10}"]
        for label, name in _PRINTED.items():
            shown = f"{label} over {window} frames" if name == "error_free_fraction" else label
            lines.append(f"  {shown:<34}{_number(figures[name]):>10}{_number(other[name]):>10}")
    total = sum(result["seconds"].values())
    lines.append(f"{result['lineages']}\n{result['report']}\n{total:.0f} s in all stages")
    return "\n".join(lines)


def _number(value: float | list[float | None] | None) -> str:
    last = value[-1] if isinstance(value, list) and value else value
    return "-" if last is None or isinstance(last, list) else f"{last:.3f}"
