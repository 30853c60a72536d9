"""Commands that work on files, without a run directory: solve a graph, evaluate tracks, make an embryo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from morula.cli.console import bars, print_figures, print_json
from morula.cli.options import Json, Seed, Settings, parse_settings


def solve(
    graph: Annotated[Path, typer.Option("--graph", help="Candidate graph as GEFF.")],
    out: Annotated[Path, typer.Option("--out", help="GEFF of the lineages to write.")],
    pins: Annotated[
        Path | None, typer.Option("--pins", help="Table of cells and links that must be taken or left.")
    ] = None,
    pin_distance_um: Annotated[
        float, typer.Option("--pin-distance-um", min=0, help="Largest distance of a pin to its detection.")
    ] = 6.0,
    margins: Annotated[
        bool, typer.Option("--margins/--no-margins", help="Write what another past of each cell would cost more.")
    ] = True,
    settings: Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing GEFF.")] = False,
    json_output: Json = False,
) -> None:
    """Choose the lineages in a candidate graph: the cheapest forest, with a bound."""
    from morula.config import replace_settings
    from morula.io.tracks.graphs import read_graph_file
    from morula.io.tracks.pin_table import read_pins
    from morula.results import write_solution
    from morula.solve.graph import solve_graph
    from morula.solve.params import SolveParams
    from morula.solve.problem.placing import place_pins

    params = replace_settings(SolveParams(), "solve", parse_settings(settings))
    file = read_graph_file(graph)
    pinned = file.pins
    if pins is not None:
        pinned = place_pins(file.graph, read_pins(pins), max_distance_um=pin_distance_um, pins=pinned)
    with bars() as progress:
        selection = solve_graph(file.graph, params, pins=pinned, node_id=file.node_id, progress=progress)
    past_margin = None
    if margins:
        from morula.solve.ascent.margins import measure_selection  # compiles

        measured = measure_selection(file.graph, params, selection, pins=pinned)
        past_margin = measured.of_pasts(file.graph.edges, selection.node_selected, selection.edge_selected)
    write_solution(file, selection, out, past_margin=past_margin, overwrite=overwrite)
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
        "pinned_nodes": int((pinned.node != 0).sum()),
        "pinned_edges": int((pinned.edge != 0).sum()),
    }
    (print_json if json_output else print_figures)(figures)


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
    from morula.config import replace_settings
    from morula.evaluate.evaluate import evaluate_tracks
    from morula.evaluate.held_out import find_unannotated
    from morula.evaluate.params import EvaluateParams
    from morula.io.tracks.files import read_tracks

    named = {"evaluate.max_distance_um": str(threshold_um), "evaluate.dense": "true" if dense else "false"}
    params = replace_settings(EvaluateParams(), "evaluate", {**named, **parse_settings(settings)})
    known = read_tracks(truth)
    scored = None
    if exclude:
        left_out = [read_tracks(path) for path in exclude]
        scored = find_unannotated(known, left_out, max_distance_um=params.max_distance_um / 2)
    figures = evaluate_tracks(read_tracks(reconstruction), known, params, scored=scored).to_dict()
    (print_json if json_output else print_figures)(figures)


def synthetic(
    out: Annotated[Path, typer.Option("--out", help="Folder to write movie.ome.zarr and the tracks into.")],
    seed: Seed = 0,
    cells: Annotated[int, typer.Option("--cells", min=2, help="Cells in the first frame.")] = 120,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Number of frames.")] = 32,
    difficulty: Annotated[str, typer.Option("--difficulty", help="easy, medium or hard.")] = "medium",
    tracks: Annotated[
        Path | None, typer.Option("--tracks", help="Render these lineages instead of grown ones.")
    ] = None,
    um_per_unit: Annotated[
        float | None, typer.Option("--um-per-unit", help="Length of a unit of --tracks in µm; chosen if left out.")
    ] = None,
    min_cells: Annotated[
        int, typer.Option("--min-cells", min=1, help="Begin --tracks where it has this many cells.")
    ] = 100,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    settings: Settings = None,
) -> None:
    """Render an embryo with known lineages: movie.ome.zarr, truth.csv, and sparse train.csv and val.csv."""
    from morula.synthesis import SyntheticRequest, write_synthetic

    request = SyntheticRequest(
        seed=seed,
        cells=cells,
        frames=frames,
        difficulty=difficulty,
        tracks=tracks,
        um_per_unit=um_per_unit,
        min_cells=min_cells,
        settings=parse_settings(settings),
    )
    with bars() as progress:
        summary = write_synthetic(request, out, overwrite=overwrite, progress=progress)
    typer.echo(f"{out}: {summary}")
