"""The command line: one command per job; parses, calls, prints. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 an error morula explains, 2 wrong usage, 3 some blocks failed and can be resumed.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from morula import __version__
from morula.errors import MorulaError

app = typer.Typer(
    name="morula",
    help="Cell lineages of whole embryos from light-sheet movies, learned from a few clicked tracks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: table.name=value. May repeat.")]
RunDir = Annotated[Path, typer.Option("--run-dir", help="Directory of the run; created, or continued if it exists.")]
ConfigFile = Annotated[Path, typer.Argument(help="Configuration written by `morula init`.")]
Triple = tuple[float, float, float]


def main() -> None:
    """Run the command line; errors of morula become one message and an exit code."""
    _listen_to_warnings()
    try:
        app()
    except MorulaError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted: what was finished is kept, the same command goes on from there", err=True)
        sys.exit(130)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Cell lineages of whole embryos from light-sheet movies, learned from a few clicked tracks."""


@app.command()
def init(
    movie: Annotated[str, typer.Option("--movie", help="OME-Zarr, TIFF, folder or pattern of TIFF files, or address.")],
    train: Annotated[Path, typer.Option("--train", help="Tracks to learn from.")],
    out: Annotated[Path, typer.Option("--out", help="Configuration to write.")] = Path("run.toml"),
    val: Annotated[Path | None, typer.Option("--val", help="Other tracks, to validate and tune on.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="All cells, where known: for the figures only.")] = None,
    mask: Annotated[str | None, typer.Option("--mask", help="Foreground mask of the movie's shape.")] = None,
    axes: Annotated[str | None, typer.Option("--axes", help="Axes of the file, such as TZYX or TCZYX.")] = None,
    channel: Annotated[int, typer.Option("--channel", min=0, help="Channel with the nuclei.")] = 0,
    level: Annotated[int, typer.Option("--level", min=0, help="Resolution level, 0 is the finest.")] = 0,
    voxel_size_um: Annotated[Triple | None, typer.Option("--voxel-size-um", help="Voxel size in µm: Z Y X.")] = None,
    frame_interval_s: Annotated[
        float | None, typer.Option("--frame-interval-s", help="Seconds between frames.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing configuration.")] = False,
) -> None:
    """Measure a movie and its annotations and write a commented configuration."""
    from morula.config import AnnotationsConfig, MovieConfig, format_config
    from morula.draft import draft_config
    from morula.errors import ConfigError
    from morula.store.disk import write_text

    if out.exists() and not force:
        raise ConfigError(f"{out} exists already.", fix="give another --out, or --force to replace it")
    movie_config = MovieConfig(
        path=_absolute(movie),
        axes=axes,
        channel=channel,
        level=level,
        voxel_size_um=voxel_size_um,
        frame_interval_s=frame_interval_s,
        mask=None if mask is None else _absolute(mask),
    )
    tracks = {"train": train, "val": val, "truth": truth}
    annotations = AnnotationsConfig(**{k: None if v is None else _absolute(str(v)) for k, v in tracks.items()})  # type: ignore[arg-type]
    with _bars() as progress:
        draft = draft_config(movie_config, annotations, progress=progress)
    write_text(out, format_config(draft.config, draft.reasons))
    for warning in draft.warnings:
        typer.echo(f"warning: {warning}", err=True)
    measured = draft.measured
    spacing = "unknown" if measured.spacing_um is None else f"{measured.spacing_um:.1f} µm"
    typer.echo(
        f"{out}: about {measured.nuclei_per_frame:.0f} nuclei a frame, spacing {spacing}, "
        f"{measured.n_points} annotated points with {measured.n_divisions} divisions.\n"
        f"next: morula run {out} --run-dir runs/first"
    )


@app.command()
def run(
    config: ConfigFile,
    run_dir: RunDir,
    until: Annotated[str, typer.Option("--until", help="Last stage to run.")] = "report",
    settings: Settings = None,
    json_output: Json = False,
) -> None:
    """Run all stages, or go on where a run stopped; a changed setting re-runs just what it touches."""
    from morula.config import read_config
    from morula.errors import ConfigError
    from morula.pipeline import STAGES, run_pipeline

    if until not in STAGES:
        raise ConfigError(f"--until {until}: there is no such stage.", fix=f"one of {', '.join(STAGES)}")
    read = read_config(config, _parse_settings(settings))
    with _log_file(run_dir), _bars() as progress:
        run_pipeline(read, run_dir, until=until, progress=progress)
    if until == "report":
        _print_result(run_dir, json_output)


def _stage_command(name: str, explanation: str) -> None:
    """Add a command that runs one stage and what it still needs."""

    def command(config: ConfigFile, run_dir: RunDir, settings: Settings = None) -> None:
        run(config, run_dir, until=name, settings=settings, json_output=False)

    app.command(name=name, help=f"{explanation} Runs the stages before it where needed.")(command)


_stage_command("train", "Learn the network from the annotations.")
_stage_command("detect", "Find the nuclei of every frame.")
_stage_command("candidates", "Offer possible links between detections.")
_stage_command("tune", "Choose the cost weights on the validation annotations.")
_stage_command("report", "Write the report page.")


@app.command()
def solve(
    graph: Annotated[Path, typer.Option("--graph", help="Candidate graph as GEFF.")],
    out: Annotated[Path, typer.Option("--out", help="GEFF of the lineages to write.")],
    settings: Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing GEFF.")] = False,
    json_output: Json = False,
) -> None:
    """Choose the lineages in a candidate graph: the cheapest forest, with a bound."""
    from morula.config import replace_settings
    from morula.io.graphs import read_graph_file
    from morula.results import write_solution
    from morula.solve.graph import solve_graph
    from morula.solve.params import SolveParams

    params = replace_settings(SolveParams(), "solve", _parse_settings(settings))
    file = read_graph_file(graph)
    selection = solve_graph(file.graph, params)
    write_solution(file, selection, out, overwrite=overwrite)
    figures = {
        "status": selection.status,
        "objective": selection.objective,
        "lower_bound": selection.lower_bound,
        "gap": selection.gap,
        "seconds": selection.seconds,
        "nodes": file.graph.nodes.n,
        "edges": file.graph.n_edges,
        "selected_nodes": int(selection.node_selected.sum()),
        "selected_edges": int(selection.edge_selected.sum()),
    }
    _print_figures(figures, json_output)


@app.command()
def evaluate(
    reconstruction: Annotated[Path, typer.Argument(help="Reconstructed tracks.")],
    truth: Annotated[Path, typer.Argument(help="Annotations or dense truth.")],
    threshold_um: Annotated[float, typer.Option("--threshold-um", help="Largest distance of matched points.")],
    dense: Annotated[bool, typer.Option("--dense", help="The truth names every cell.")] = False,
    exclude: Annotated[
        list[Path] | None, typer.Option("--exclude", help="Annotations whose cells do not count. May repeat.")
    ] = None,
    settings: Settings = None,
    json_output: Json = False,
) -> None:
    """Judge reconstructed tracks against annotations or dense truth."""
    from dataclasses import replace

    from morula.config import replace_settings
    from morula.evaluate.evaluate import evaluate_tracks
    from morula.evaluate.held_out import find_unannotated
    from morula.evaluate.params import EvaluateParams
    from morula.io.tracks import read_tracks

    params = replace_settings(EvaluateParams(), "evaluate", {"evaluate.max_distance_um": str(threshold_um)})
    params = replace(replace_settings(params, "evaluate", _parse_settings(settings)), dense=dense)
    known = read_tracks(truth)
    scored = None
    if exclude:
        scored = find_unannotated(known, [read_tracks(path) for path in exclude], max_distance_um=threshold_um / 2)
    _print_figures(evaluate_tracks(read_tracks(reconstruction), known, params, scored=scored).to_dict(), json_output)


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(help="Directory of a run whose lineages are solved.")],
    out: Annotated[Path, typer.Option("--out", help="File or folder to write.")],
    format: Annotated[str, typer.Option("--format", help="csv, geff or napari.")] = "csv",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write the lineages of a run to a file."""
    from morula.results import export_run

    lineages = export_run(run_dir, out, format, overwrite=overwrite)
    typer.echo(f"{out}: {lineages.nodes.n} points in {int(lineages.lineage_id.max(initial=-1)) + 1} lineages")


@app.command()
def status(run_dir: Annotated[Path, typer.Argument(help="Directory of a run.")], json_output: Json = False) -> None:
    """Say how far a run is; works while it is running."""
    from dataclasses import asdict

    from morula.store.status import read_status

    state = read_status(run_dir)
    if json_output:
        typer.echo(json.dumps(asdict(state)))
        return
    typer.echo(f"{state.path}: {'running' if state.running else 'not running'}")
    for stage in state.stages:
        blocks = ""
        if stage.blocks_total:
            blocks = f", blocks {stage.blocks_done} of {stage.blocks_total}, {stage.blocks_failed} failed"
        left = "" if stage.left_s is None else f", about {stage.left_s:.0f} s left"
        typer.echo(f"  {stage.name:<11} {stage.state}, {stage.seconds:.1f} s{blocks}{left}")
        if stage.error:
            typer.echo(f"              {stage.error.splitlines()[0]}")


@app.command()
def synthetic(
    out: Annotated[Path, typer.Option("--out", help="Folder to write movie.ome.zarr and the tracks into.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same movie.")] = 0,
    cells: Annotated[int, typer.Option("--cells", min=2, help="Cells in the first frame.")] = 120,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Number of frames.")] = 32,
    difficulty: Annotated[str, typer.Option("--difficulty", help="easy, medium or hard.")] = "medium",
    tracks: Annotated[
        Path | None, typer.Option("--tracks", help="Render these lineages instead of grown ones.")
    ] = None,
    um_per_unit: Annotated[
        float | None, typer.Option("--um-per-unit", help="Length of a unit of --tracks in µm; chosen if left out.")
    ] = None,
    min_cells: Annotated[int, typer.Option("--min-cells", help="Begin --tracks where it has this many cells.")] = 100,
    settings: Settings = None,
) -> None:
    """Render an embryo with known lineages: movie.ome.zarr, truth.csv, and sparse train.csv and val.csv."""
    from morula.synthesis import SyntheticRequest, write_synthetic

    request = SyntheticRequest(
        seed=seed, cells=cells, frames=frames, difficulty=difficulty, tracks=tracks, um_per_unit=um_per_unit,
        min_cells=min_cells, settings=_parse_settings(settings),
    )  # fmt: skip
    with _bars() as progress:
        summary = write_synthetic(request, out, progress=progress)
    typer.echo(f"{out}: {summary}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder of the demo.")] = Path("demo"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the embryo.")] = 0,
    json_output: Json = False,
) -> None:
    """Make an embryo, learn from a tenth of its cells, track it, and write the report: minutes on two cores."""
    from morula.demo import run_demo

    out.mkdir(parents=True, exist_ok=True)
    with _log_file(out / "run"), _bars() as progress:
        run_demo(out, seed=seed, progress=progress)
    _print_result(out / "run", json_output)


def _parse_settings(settings: list[str] | None) -> dict[str, str]:
    from morula.errors import ConfigError

    parsed = {}
    for text in settings or []:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: a setting is written table.name=value.", fix="--set solve.start_cost=4")
        parsed[key.strip()] = value.strip()
    return parsed


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).resolve())


def _print_figures(figures: Mapping[str, Any], json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        if not isinstance(value, list):
            shown = f"{value:.6g}" if isinstance(value, float) else value
            typer.echo(f"{name.replace('_', ' '):<28} {shown}")


def _print_result(run_dir: Path, json_output: bool) -> None:
    from morula.results import describe_result, read_result

    result = read_result(run_dir)
    typer.echo(json.dumps(result) if json_output else describe_result(result))


def _listen_to_warnings() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("morula")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)


@contextmanager
def _log_file(run_dir: Path) -> Iterator[None]:
    """Keep a log in the run directory, appended by every run."""
    from morula.store.disk import explained_disk_errors
    from morula.store.paths import RunPaths

    path = RunPaths(run_dir).log
    with explained_disk_errors(path):
        run_dir.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("morula")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def _bars() -> Iterator[Any]:
    """Draw one progress bar per stage on stderr; plain lines where that is no terminal."""
    from morula.progress_bars import ProgressBars

    with ProgressBars() as bars:
        yield bars
