"""What a run has left on disk and in its tables, in a form that can be compared."""

from __future__ import annotations

from pathlib import Path

from morula.store.paths import RunPaths
from morula.store.places import find_place
from morula.store.run_directory import view_run
from morula.store.schema import STAGE_TABLES

_ON_THE_WAY = "checkpoint"  # training goes on from these; they say nothing of the result


def read_results(run: Path) -> dict[str, bytes]:
    """Return every export, every weight and every constant that is there under its own name."""
    found: dict[str, bytes] = {}
    for path in (*(run / "exports").rglob("*"), *(run / "model").rglob("*")):
        inside = path.relative_to(run)
        if path.is_file() and _ON_THE_WAY not in path.name and not any(is_hidden(part) for part in inside.parts):
            found[str(inside)] = path.read_bytes()
    return found


def is_hidden(name: str) -> bool:
    """Say whether a name is that of something still being written."""
    return name.endswith((".part", ".tmp", ".tmp.old"))


def list_left_overs(run: Path) -> list[str]:
    """Return what is there under the names of things that are still being written."""
    return [str(path.relative_to(run)) for path in run.rglob("*") if is_hidden(path.name)]


def check_blocks(run: Path) -> None:
    """Check that no block has rows without its done mark, and that no row belongs to a stage that is not there."""
    if find_place(RunPaths(run)) is None:
        return  # killed before there was a store
    with view_run(run) as view:
        ask = view.store._database.execute
        for table in ("detections", "block_selections", "block_counts"):
            query = (
                f"SELECT count(*) FROM {table} r LEFT JOIN blocks b ON b.stage = r.stage AND b.block = r.block "
                "WHERE b.state IS NULL OR b.state <> 'done'"
            )
            assert ask(query).fetchone()[0] == 0, f"{table}: rows of blocks that are not done"
        for table in STAGE_TABLES:
            query = f"SELECT count(*) FROM {table} WHERE stage NOT IN (SELECT id FROM stages)"
            assert ask(query).fetchone()[0] == 0, f"{table}: rows of no stage"


def read_tables(run: Path) -> dict[str, object]:
    """Return the rows of a finished run: how many of each stage in each table, and the bytes of all columns."""
    found: dict[str, object] = {}
    with view_run(run) as view:
        store = view.store
        for table in STAGE_TABLES:
            query = f"SELECT s.name, count(*) FROM {table} r JOIN stages s ON s.id = r.stage GROUP BY s.name ORDER BY 1"
            found[table] = store._database.execute(query).fetchall()
        for stage in ("detect-1", "detect"):
            detections = store.read_detections(stage)
            found[f"detections of {stage}"] = [getattr(detections, name).tobytes() for name in detections.__slots__]
        graph, selection = store.read_graph(), store.read_selection()
        found["links"] = [graph.edges.tobytes(), graph.distance_um.tobytes()]
        found["selection"] = [part.tobytes() for part in (selection.node_selected, selection.edge_selected)]
    return found
