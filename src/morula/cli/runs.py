"""Commands around a run directory: draft a configuration, run stages, export, ask how far it is; and the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from morula.cli.console import bars, log_in, print_json
from morula.cli.options import (
    ConfigFile,
    Json,
    RunDir,
    Scheduler,
    Seed,
    Settings,
    StoreAddress,
    Triple,
    Workers,
    choose_store,
    fill_in_store,
    make_absolute,
    parse_settings,
)
from morula.errors import ConfigError


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
    unit_um: Annotated[float, typer.Option("--unit-um", help="Length of one unit of the tracks in µm.")] = 1.0,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing configuration.")] = False,
) -> None:
    """Measure a movie and its annotations and write a commented configuration."""
    from morula.config import build_config, format_config
    from morula.draft import draft_config
    from morula.store.disk import write_text

    if out.exists() and not force:
        raise ConfigError(f"{out} exists already.", fix="give another --out, or --force to replace it")
    looked_at = {
        "path": make_absolute(movie),
        "axes": axes,
        "channel": channel,
        "level": level,
        "voxel_size_um": voxel_size_um,
        "frame_interval_s": frame_interval_s,
        "mask": None if mask is None else make_absolute(mask),
    }
    tracks = {"train": train, "val": val, "truth": truth}
    absolute = {name: None if path is None else make_absolute(str(path)) for name, path in tracks.items()}
    config = build_config({"movie": looked_at, "annotations": absolute | {"unit_um": unit_um}}, "morula init")
    with bars() as progress:
        draft = draft_config(config.movie, config.annotations, progress=progress)
    write_text(out, format_config(draft.config, draft.reasons))
    for warning in draft.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{out}: {draft.describe()}\nnext: morula run {out} --run-dir runs/first")


def run(
    config: ConfigFile,
    run_dir: RunDir,
    until: Annotated[str, typer.Option("--until", help="Last stage to run.")] = "report",
    workers: Workers = 1,
    scheduler: Scheduler = None,
    store: StoreAddress = None,
    settings: Settings = None,
    json_output: Json = False,
) -> None:
    """Run all stages, or go on where a run stopped; a changed setting re-runs just what it touches."""
    from morula.config import read_config

    read = fill_in_store(read_config(config, choose_store(store, parse_settings(settings))), run_dir)
    from morula.engine.choose import open_engine
    from morula.network.device import list_cards
    from morula.pipeline import run_pipeline

    opening = open_engine(workers=workers, scheduler=scheduler, queue=read.cluster, list_cards=list_cards)
    with log_in(run_dir), bars() as progress, opening as engine:
        run_pipeline(read, run_dir, until=until, engine=engine, progress=progress)
    if until == "report":
        _print_result(run_dir, json_output, read.store.url)


def make_stage_command(name: str, explanation: str) -> Callable[..., None]:
    """Make a command that runs one stage and what it still needs."""

    def command(
        config: ConfigFile,
        run_dir: RunDir,
        workers: Workers = 1,
        scheduler: Scheduler = None,
        store: StoreAddress = None,
        settings: Settings = None,
    ) -> None:
        run(config, run_dir, until=name, workers=workers, scheduler=scheduler, store=store, settings=settings)

    command.__doc__ = f"{explanation} Runs the stages before it where needed."
    return command


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


def status(run_dir: Annotated[Path, typer.Argument(help="Directory of a run.")], json_output: Json = False) -> None:
    """Say how far a run is; works while it is running."""
    from dataclasses import asdict

    from morula.store.status import read_status

    state = read_status(run_dir)
    if json_output:
        print_json(asdict(state))
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


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder of the demo.")] = Path("demo"),
    seed: Seed = 0,
    json_output: Json = False,
) -> None:
    """Make an embryo, learn from a tenth of its cells, track it, and write the report: minutes on two cores."""
    from morula.demo import run_demo

    with log_in(out / "run"), bars() as progress:
        run_demo(out, seed=seed, progress=progress)
    _print_result(out / "run", json_output)


def _print_result(run_dir: Path, json_output: bool, store: str | None = None) -> None:
    from morula.results import describe_result, read_result

    result = read_result(run_dir, store=store)
    if json_output:
        print_json(result)
    else:
        typer.echo(describe_result(result))
