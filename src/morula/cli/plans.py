"""The command that says what a run will take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from morula.cli.console import bars, print_json
from morula.cli.options import Json, Settings, Triple, parse_settings
from morula.errors import ConfigError

Quad = tuple[int, int, int, int]
Whole = tuple[int, int, int]


def plan(
    config: Annotated[
        Path | None, typer.Argument(help="Configuration written by `morula init`; the defaults with --shape.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Workers to plan for.")] = 1,
    within_hours: Annotated[
        float, typer.Option("--within-hours", min=0.01, help="How many workers finish in this time?")
    ] = 24.0,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", help="A run to take speeds and number of detections from; it may be running."),
    ] = None,
    detections: Annotated[
        float | None, typer.Option("--detections", min=1, help="Cells in all frames together, where known.")
    ] = None,
    until: Annotated[str, typer.Option("--until", help="Last stage, as for `morula run`.")] = "report",
    shape: Annotated[
        Quad | None, typer.Option("--shape", help="Plan for a movie that is not there: its shape T Z Y X.")
    ] = None,
    voxel_size_um: Annotated[
        Triple | None, typer.Option("--voxel-size-um", help="Its voxel size in µm: Z Y X.")
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="Its type of voxels.")] = "uint16",
    chunk: Annotated[Whole | None, typer.Option("--chunk", help="The pieces it will be stored in: Z Y X.")] = None,
    settings: Settings = None,
    json_output: Json = False,
) -> None:
    """Say what a run will take: time, memory, reading, disk, and how many workers finish in a day. Starts nothing."""
    from dataclasses import asdict

    from morula.config import build_config, override_values, read_config
    from morula.planning.estimate import Imagined, PlanRequest, make_plan
    from morula.planning.wording import describe_plan

    overrides = parse_settings(settings)
    if (shape is None) != (voxel_size_um is None):
        raise ConfigError("a movie that is not there needs both --shape T Z Y X and --voxel-size-um Z Y X.")
    if config is None and shape is None:
        raise ConfigError("there is nothing to plan for.", fix="give a configuration, or --shape and --voxel-size-um")
    if config is not None:
        read = read_config(config, overrides)
    else:
        values: dict[str, object] = {"movie": {"path": "planned"}, "annotations": {}}
        for key, text in overrides.items():
            override_values(values, key, text)
        read = build_config(values, "--set")
    imagined = None
    if shape is not None and voxel_size_um is not None:
        imagined = Imagined(shape=shape, voxel_size_um=voxel_size_um, dtype=dtype, chunk=chunk)
    request = PlanRequest(
        workers=workers,
        within_hours=within_hours,
        run_dir=run_dir,
        imagined=imagined,
        detections=detections,
        until=until,
    )
    with bars() as progress:
        made = make_plan(read, request, progress=progress)
    if json_output:
        print_json(asdict(made) | {"work_s": made.work_s, "wall_s": made.wall_s})
    else:
        typer.echo(describe_plan(made))
