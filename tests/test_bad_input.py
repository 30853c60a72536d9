"""Bad input, one row each: what is wrong, what is said, how the command ends, and that nothing finished is lost.

Every row begins with a copy of a finished run, spoils something, and runs one command on it. Whatever the command says,
the exports of the finished run are afterwards as they were, unless the row runs the whole pipeline again on purpose.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import tifffile
import tomlkit
import zarr
from safetensors import safe_open
from safetensors.numpy import save_file

from morula.io.movies.ome_zarr_write import ZarrLayout, write_ome_zarr
from morula.io.movies.opening import open_movie
from morula.io.tracks.geff_write import GeffTable, write_geff
from morula.store.schema import SCHEMA_VERSION

Command = Callable[..., subprocess.CompletedProcess[str]]
Spoil = Callable[[Path], None]

RUN = ("run", "run.toml", "--run-dir", "run")
AGAIN = ("run", "run.toml", "--run-dir", "other", "--set", "train.second_iterations=0")
MOVIE = "embryo/movie.ome.zarr"


@dataclass(frozen=True)
class Case:
    """One row: `spoil` changes the folder, `command` runs in it, `says` are patterns found on stderr, in any order."""

    spoil: Spoil
    says: tuple[str, ...]
    command: tuple[str, ...] = RUN
    code: int = 1
    mended: Spoil | None = field(default=None)
    then: tuple[str, ...] = ()


# --- how things are spoiled ------------------------------------------------------------------------------------------


def nothing(folder: Path) -> None:
    """Spoil nothing: the command itself is what is wrong."""


def setting(**tables: Mapping[str, object]) -> Spoil:
    """Change settings in run.toml: ``setting(movie={"axes": "XY"})``; None removes one."""

    def spoil(folder: Path) -> None:
        document = tomlkit.parse((folder / "run.toml").read_text())
        for table, values in tables.items():
            for name, value in values.items():
                if value is None:
                    document[table].pop(name)  # type: ignore[union-attr]
                else:
                    document.setdefault(table, tomlkit.table())[name] = value
        (folder / "run.toml").write_text(tomlkit.dumps(document))

    return spoil


def rows(change: Callable[[list[list[str]]], list[list[str]]], name: str = "train") -> Spoil:
    """Rewrite the rows (t, z, y, x, id, parent_id as texts) of a table of annotations."""

    def spoil(folder: Path) -> None:
        path = folder / "embryo" / f"{name}.csv"
        header, *lines = path.read_text().splitlines()
        changed = change([line.split(",") for line in lines])
        path.write_text("\n".join([header, *(",".join(row) for row in changed)]) + "\n")

    return spoil


def first_links(table: list[list[str]]) -> list[int]:
    """Rows that have a parent."""
    return [i for i, row in enumerate(table) if row[5] != "-1"]


def with_row(table: list[list[str]], index: int, column: int, value: str) -> list[list[str]]:
    changed = [list(row) for row in table]
    changed[index][column] = value
    return changed


def later_parent(table: list[list[str]]) -> list[list[str]]:
    child = first_links(table)[0]
    parent = next(i for i, row in enumerate(table) if row[4] == table[child][5])
    return with_row(with_row(table, child, 5, "-1"), parent, 5, table[child][4])


def three_children(table: list[list[str]]) -> list[list[str]]:
    child = first_links(table)[0]
    t, z, y, x, _, parent = table[child]
    return [*table, [t, z, y, x, "9001", parent], [t, z, y, str(float(x) + 1), "9002", parent]]


def scaled(factors: tuple[float, float, float]) -> Callable[[list[list[str]]], list[list[str]]]:
    return lambda table: [
        [row[0], *(str(float(v) * f) for v, f in zip(row[1:4], factors, strict=True)), *row[4:]] for row in table
    ]


def shifted(frames: int = 0, x_um: float = 0.0) -> Callable[[list[list[str]]], list[list[str]]]:
    return lambda table: [
        [str(int(row[0]) + frames), row[1], row[2], str(float(row[3]) + x_um), *row[4:]] for row in table
    ]


def frames_of(folder: Path) -> np.ndarray:
    movie = open_movie(folder / MOVIE)
    return np.stack([movie.frame(t) for t in range(movie.n_frames)])


def movie(change: Callable[[np.ndarray], np.ndarray], **layout: object) -> Spoil:
    """Write the movie again with other pixels."""

    def spoil(folder: Path) -> None:
        frames = change(frames_of(folder))
        write_ome_zarr(
            folder / MOVIE,
            iter(frames),
            shape_tzyx=frames.shape,
            dtype=frames.dtype,
            voxel_size_um=(2.0, 0.8, 0.8),
            frame_interval_s=90.0,
            layout=ZarrLayout(**layout) if layout else None,  # type: ignore[arg-type]
            overwrite=True,
        )

    return spoil


def with_frame(t: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(frames: np.ndarray) -> np.ndarray:
        changed = frames.astype(np.float32)
        changed[t] = value
        return changed

    return change


def chunks(folder: Path) -> list[Path]:
    """Chunk files of the movie, in the order of their keys."""
    return sorted(path for path in (folder / MOVIE).rglob("*") if path.is_file() and path.name != "zarr.json")


def broken_chunk(folder: Path) -> None:
    path = chunks(folder)[5]
    path.with_name("kept").write_bytes(path.read_bytes())
    path.write_bytes(path.read_bytes()[:40])


def mended_chunk(folder: Path) -> None:
    (kept,) = (folder / MOVIE).rglob("kept")
    next(path for path in kept.parent.iterdir() if path != kept).write_bytes(kept.read_bytes())
    kept.unlink()


def absent_frame(folder: Path) -> None:
    chunks(folder)[2].unlink()


def absent_chunk(folder: Path) -> None:
    movie(lambda frames: frames, chunk_zyx=(8, 32, 32))(folder)
    next(path for path in chunks(folder) if path.parts[-4:] == ("2", "0", "0", "0")).unlink()


def plain_array(*, axes: bool) -> Spoil:
    """Replace the movie by a zarr array without OME metadata."""

    def spoil(folder: Path) -> None:
        zarr.save_array(folder / "plain.zarr", frames_of(folder), zarr_format=2)
        setting(movie={"path": "plain.zarr", **({"axes": "TZYX"} if axes else {})})(folder)

    return spoil


def series(missing: int | None = None) -> Spoil:
    """Replace the movie by one TIFF file per frame."""

    def spoil(folder: Path) -> None:
        (folder / "series").mkdir()
        for t, frame in enumerate(frames_of(folder)):
            tifffile.imwrite(folder / "series" / f"T{t:03}.tif", frame, photometric="minisblack")
        if missing is not None:
            (folder / "series" / f"T{missing:03}.tif").unlink()
        setting(movie={"path": "series", "axes": "ZYX", "voxel_size_um": [2.0, 0.8, 0.8]})(folder)

    return spoil


def mask(shape: tuple[int, ...]) -> Spoil:
    def spoil(folder: Path) -> None:
        zarr.save_array(folder / "mask.zarr", np.ones(shape, np.uint8), zarr_format=2)
        setting(movie={"mask": "mask.zarr"})(folder)

    return spoil


def text(name: str, content: str | bytes) -> Spoil:
    """Put something else in the place of a file."""
    content = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(content) and None


def other_store_version(folder: Path) -> None:
    connection = sqlite3.connect(folder / "run" / "store.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.execute("UPDATE meta SET value = '7.0' WHERE key = 'morula_version'")
    connection.commit()
    connection.close()


def same_store_version(folder: Path) -> None:
    connection = sqlite3.connect(folder / "run" / "store.sqlite")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.commit()
    connection.close()


def other_model(folder: Path, to: str = "run/model/train.safetensors") -> None:
    """Put weights trained at twice the voxel size in the place of the run's, or elsewhere."""
    path = folder / "run" / "model" / "train.safetensors"
    with safe_open(path, framework="np") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    spec = json.loads(metadata["spec"])
    spec["voxel_size_um"] = [2 * size for size in spec["voxel_size_um"]]
    save_file(tensors, folder / to, {**metadata, "spec": json.dumps(spec)})


def other_weights(folder: Path) -> None:
    other_model(folder, "other.safetensors")
    setting(model={"weights": "other.safetensors"})(folder)


def cut_model(folder: Path) -> None:
    path = folder / "run" / "model" / "train.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def candidate_graph(
    node: Mapping[str, list[float]] | None = None, edge: Mapping[str, list[float]] | None = None
) -> Spoil:
    """Write a candidate graph of the nodes 70 and 5 in frame 0, 900 in frame 1, and links from both to it."""
    plain = {"t": [0, 0, 1], "z": [1, 1, 1], "y": [2, 9, 5], "x": [3, 3, 3], "score": [0.9, 0.8, 0.9]}
    props = {name: np.array(values) for name, values in {**plain, **(node or {})}.items()}
    links = {name: np.array(values) for name, values in {"distance": [2.5, 3.0], **(edge or {})}.items()}
    table = GeffTable(np.array([70, 5, 900]), props, np.array([[70, 900], [5, 900]]), links)
    return lambda folder: write_geff(table, folder / "graph.geff", overwrite=False)


def pins(*lines: str, run: bool = False) -> Spoil:
    """Write a table of pins, beside a candidate graph or for the run."""

    def spoil(folder: Path) -> None:
        header = "kind,t,z,y,x,parent_t,parent_z,parent_y,parent_x,pinned"
        (folder / "pins.csv").write_text("\n".join([header, *lines]) + "\n")
        (setting(annotations={"pins": "pins.csv"}) if run else candidate_graph())(folder)

    return spoil


SOLVE = ("solve", "--graph", "graph.geff", "--out", "x.geff")
SOLVE_PINNED = (*SOLVE, "--pins", "pins.csv")

NOT_MAMUT = '<?xml version="1.0"?>\n<SpimData version="0.2"><BasePath type="relative">.</BasePath></SpimData>\n'
ONE_TRACK = "".join(f"{t},20.0,20.0,14.0,{t},{t - 1}\n" for t in range(6))

CASES = {
    # the movie
    "an undecodable chunk": Case(
        broken_chunk,
        (
            r"left out of training: .*movie\.ome\.zarr.*voxels \[5:6",
            r"BlocksFailedError: detect: 1 of 3 blocks failed, 0 were not run; 2 are done and kept",
            r"measured: block 2 \(t 4:6[^:]*:[^:]*:[^:]*:[^:]*: /.*movie\.ome\.zarr/0: voxels .* cannot be read",
            r"fix: .*only the blocks that are not done are computed",
        ),
        command=AGAIN,
        code=3,
        mended=mended_chunk,
        then=("train is done", "detect goes on where it stopped: 2 of 3 blocks are done"),
    ),
    "an absent chunk is the fill value": Case(absent_chunk, (r"report begins|report runs again",), code=0),
    "an absent frame": Case(absent_frame, (r"warning: movie\.ome\.zarr: 1 of 6 frames have no chunk",), code=0),
    "a missing file of a series": Case(
        series(missing=3), (r"MovieNotFoundError: .*series.*T003\.tif", r"fix:"), command=RUN
    ),
    "a missing first chunk of metadata": Case(
        lambda folder: (folder / MOVIE / "zarr.json").unlink(), (r"movie\.ome\.zarr", r"fix:")
    ),
    "a frame of NaN": Case(
        movie(with_frame(3, np.nan)), (r"MovieError: .*frame 3 holds \d+ voxels that are not finite", r"fix: .*replace")
    ),
    "a constant frame": Case(movie(with_frame(3, 7.0)), (r"warning: .*frame 3 is constant",), code=0),
    "a constant movie": Case(
        movie(lambda frames: np.full_like(frames, 9)), (r"MovieError: .*no contrast", r"cause: .*wrong channel")
    ),
    "a movie of one frame": Case(movie(lambda frames: frames[:1]), (r"one frame.*at least two", r"fix: .*--axes")),
    "axes missing": Case(plain_array(axes=False), (r"plain\.zarr", r"axes", r"fix: .*--axes")),
    "axes that make no sense": Case(
        setting(movie={"axes": "TQYX"}), (r"the axes 'TQYX' are not understood", r"fix: .*--axes")
    ),
    "voxel size zero": Case(
        setting(movie={"voxel_size_um": [0.0, 1.0, 1.0]}), (r"voxel size must be positive", r"0\.0, 1\.0, 1\.0")
    ),
    "voxel size absent": Case(
        plain_array(axes=True), (r"the voxel size is not known", r"fix: .*--voxel-size-um Z Y X")
    ),
    "a frame interval of zero": Case(
        setting(movie={"frame_interval_s": 0}), (r"movie\.frame_interval_s .*greater than 0", r"= 0")
    ),
    "no such channel": Case(setting(movie={"channel": 3}), (r"channel 3", r"fix:")),
    "no such level": Case(setting(movie={"level": 4}), (r"level 4", r"fix:|measured:")),
    "no movie": Case(
        setting(movie={"path": "embryo/movie.zarr"}), (r"no movie here", r"in this folder lie movie\.ome")
    ),
    "a movie of an unknown kind": Case(
        setting(movie={"path": "embryo/train.csv"}), (r"this kind of file is not read", r"fix: .*OME-Zarr or TIFF")
    ),
    "a mask of another shape": Case(mask((6, 3, 4, 5)), (r"the mask has shape \(6, 3, 4, 5\)", r"fix:")),
    # annotations
    "points outside the movie": Case(
        rows(shifted(x_um=500.0)), (r"training annotations: \d+ of \d+ points lie outside", r"from 0 to", r"fix:")
    ),
    "points in later frames": Case(
        rows(shifted(frames=4)), (r"points lie in frames .* does not have", r"frames 0 to 5", r"fix:")
    ),
    "frames counted from one": Case(rows(shifted(frames=1)), (r"counted from 1", r"fix: .*subtract 1")),
    "points in voxels": Case(
        rows(scaled((1 / 2.0, 1 / 0.8, 1 / 0.8))), (r"AnnotationError: training", r"voxels", r"fix: .*multiply")
    ),
    "points in nanometres": Case(rows(scaled((1e3, 1e3, 1e3))), (r"nanometres", r"fix: .*divide")),
    "validation in other frames": Case(rows(shifted(frames=9), "val"), (r"validation annotations: \d+ of",)),
    "truth in other frames": Case(rows(shifted(frames=9), "truth"), (r"truth annotations: \d+ of",)),
    "a truth that is annotated throughout": Case(
        setting(annotations={"truth": "embryo/train.csv"}), (r"warning: every point of the truth is annotated",), code=0
    ),
    "a repeated id": Case(
        rows(lambda table: [*table, table[0]]), (r"train\.csv, line \d+: the id \d+ is already used by line 2",)
    ),
    "a missing parent": Case(
        rows(lambda table: with_row(table, first_links(table)[0], 5, "777")),
        (r"train\.csv, line \d+: point \d+ names the parent 777, which is not in the file", r"fix:"),
    ),
    "a later parent": Case(rows(later_parent), (r"line \d+: point .* a parent must be earlier", r"fix: .*swap")),
    "three children": Case(rows(three_children), (r"line \d+: a third child of point", r"divides into two")),
    "too few points": Case(rows(lambda table: table[:6]), (r"6 points and \d+ links are fewer", r"needed: 10")),
    "points without links": Case(
        rows(lambda table: [[*row[:5], "-1"] for row in table]), (r"0 links", r"without their parents")
    ),
    "an empty table": Case(rows(lambda table: table[:0]), (r"0 points", r"cause: .*empty")),
    "no annotations": Case(setting(annotations={"train": "none.csv"}), (r"none\.csv: there is no file",)),
    "an XML that is no MaMuT file": Case(
        lambda folder: (text("tracks.xml", NOT_MAMUT)(folder), setting(annotations={"train": "tracks.xml"})(folder))[1],
        (r"TracksFormatError: .*tracks\.xml", r"SpimData"),
    ),
    "a picture for a table": Case(
        text("embryo/train.csv", b"\x89PNG\r\n\x1a\n\x00\x00"), (r"train\.csv is a binary file", r"fix:")
    ),
    # settings
    "an unknown setting": Case(
        setting(solve={"start_costs": 3.0}), (r"run\.toml: unknown setting solve\.start_costs", r"'start_cost'\?")
    ),
    "a value out of range": Case(
        setting(detect={"threshold": 2.0}), (r"detect\.threshold .*less than 1", r"measured: detect\.threshold = 2\.0")
    ),
    "no configuration": Case(
        nothing, (r"none\.toml: there is no configuration", "morula init"), ("run", "none.toml", "--run-dir", "run")
    ),
    "a malformed override": Case(nothing, (r"written table\.name=value",), (*RUN, "--set", "solve.start_cost")),
    "an unknown stage": Case(nothing, (r"no stage 'solved'", r"fix: .*solve"), (*RUN, "--until", "solved")),
    "an unknown format": Case(
        nothing, (r"--format tgmm: unknown", r"csv, geff, napari"), ("export", "run", "--format", "tgmm", "--out", "x")
    ),
    "workers here and elsewhere": Case(
        nothing, (r"give one of them", r"fix: .*cluster"), (*RUN, "--workers", "4", "--scheduler", "tcp://127.0.0.1:1")
    ),
    "a scheduler that is not there": Case(
        nothing, (r"no Dask scheduler answers", r"fix: .*dask scheduler"), (*RUN, "--scheduler", "tcp://127.0.0.1:1")
    ),
    "blocks too small for the network": Case(
        nothing,
        (r"block_megavoxels = 1e-05 is too small", r"raise it"),
        (*RUN, "--set", "detect.threshold=0.09", "--set", "detect.block_megavoxels=1e-5"),
    ),
    "a learning rate too high": Case(
        nothing,
        (r"the loss is not finite at iteration \d", r"lower train\.learning_rate"),
        (*AGAIN, "--set", "train.learning_rate=1e30"),
    ),
    "a threshold nothing reaches": Case(
        nothing,
        (r"warning: no nucleus was found in the whole movie",),
        (*RUN, "--set", "detect.threshold=0.9999"),
        code=0,
    ),
    # the run directory
    "a store of another version": Case(
        other_store_version,
        (r"StoreVersionError: .*store\.sqlite", r"store format 99, written by morula 7\.0", r"install morula 7\.0"),
        mended=same_store_version,
        then=("report is done|report runs again",),
    ),
    "something else for a store": Case(
        lambda folder: text("other/store.sqlite", "not a database")(_made(folder, "other")),
        (r"store\.sqlite: this is not a store, or it is damaged", r"fix:"),
        command=AGAIN,
    ),
    "a file for a run directory": Case(
        text("other", "x"), (r"other: this is a file, a run needs a folder",), command=AGAIN
    ),
    "weights for other voxels": Case(
        other_model,
        (r"ModelError: .*trained at another voxel size", r"model .*4\.0, 1\.6, 1\.6.* movie .*2\.0, 0\.8, 0\.8"),
    ),
    "weights of another run for other voxels": Case(
        other_weights, (r"ModelError: .*trained at another voxel size", r"fix: .*train on this movie")
    ),
    "weights that are not there": Case(
        setting(model={"weights": "none.safetensors"}), (r"none\.safetensors: there is no model here", r"fix:")
    ),
    "neither weights nor annotations": Case(
        setting(annotations={"train": None}), (r"annotations\.train is missing", r"fix: .*model\.weights")
    ),
    "damaged weights": Case(cut_model, (r"train\.safetensors: not a readable model", r"fix: .*train again")),
    "no run here": Case(nothing, (r"there is no run directory here",), ("status", "nowhere")),
    "no lineages yet": Case(
        lambda folder: (folder / "new").mkdir(),
        (r"no store here|there is no run",),
        ("export", "new", "--out", "x.csv"),
    ),
    "an export that is there already": Case(
        nothing, (r"train\.csv exists already", r"fix:"), ("export", "run", "--out", "embryo/train.csv")
    ),
    "no graph to solve": Case(
        nothing, (r"no candidate graph at this place",), ("solve", "--graph", "none.geff", "--out", "x.geff")
    ),
    "tracks for a graph": Case(
        nothing, (r"lineages\.geff.*distance",), ("solve", "--graph", "run/exports/lineages.geff", "--out", "x")
    ),
    "scores that are no numbers": Case(
        candidate_graph({"score": [0.9, np.nan, 0.8]}),
        (r"GraphError: graph\.geff: detections: score holds 1 values that are not finite", r"fix:"),
        SOLVE,
    ),
    "pins of other values": Case(
        candidate_graph({"pinned": [0, 0, 5]}),
        (r"graph\.geff, node 900: pinned is 5", r"fix: .*1 \(to be taken"),
        SOLVE,
    ),
    "links pinned that exclude each other": Case(
        candidate_graph(edge={"pinned": [1, 1]}),
        (
            r"SolveError: no forest .*: links 70 → 900, 5 → 900 are pinned in, and node 900 can have 1 parent",
            r"measured: node 70 at t 0, z 1\.00, y 2\.00, x 3\.00 µm; node 5 at",
            r"fix: .*take one of these pins back$",
        ),
        SOLVE,
    ),
    "a link pinned in and its node out": Case(
        candidate_graph({"pinned": [-1, 0, 0]}, {"pinned": [1, 0]}),
        (r"link 70 → 900 is pinned in, and node 70 is pinned out", r"cause: .*exclude each other"),
        SOLVE,
    ),
    "a pin where nothing is": Case(
        pins("node,0,1,2,3,,,,,in", "node,1,1,2,90,,,,,out"),
        (r"AnnotationError: pins\.csv, line 3: no detection lies within 6 µm", r"nearest one is 87\.\d+ µm", r"fix:"),
        SOLVE_PINNED,
    ),
    "a table of pins that exclude each other": Case(
        pins("link,1,1,5,3,0,1,2,3,in", "link,1,1,5,3,0,1,9,3,in"),
        (r"links 70 → 900, 5 → 900 are pinned in",),
        SOLVE_PINNED,
    ),
    "opposed pins": Case(
        pins("node,0,1,2,3,,,,,in", "node,0,1,2.1,3,,,,,out"),
        (r"pins\.csv, line 3: what lies here is pinned out, and in by an earlier line", r"fix: .*remove one"),
        SOLVE_PINNED,
    ),
    "a slip in a table of pins": Case(
        pins("node,0,1,2,3,,,,,maybe"), (r"pins\.csv, line 2: pinned is 'maybe'", r"fix: .*in or out"), SOLVE_PINNED
    ),
    "no table of pins": Case(candidate_graph(), (r"pins\.csv: there is no file with pins", r"fix:"), SOLVE_PINNED),
    "an unknown method": Case(
        candidate_graph(),
        (r"solve\.method has a value that is not possible: .*'exact'", r"measured: solve\.method = 'gurobi'"),
        (*SOLVE, "--set", "solve.method=gurobi"),
    ),
    "an unknown method in a run": Case(setting(solve={"method": "gurobi"}), (r"run\.toml: solve\.method has a value",)),
    "weights too large to be added": Case(
        candidate_graph(),
        (r"GraphError: costs: 1e\+250 is too large to be added", r"fix: .*\[solve\]"),
        (*SOLVE, "--set", "solve.start_cost=1e250"),
    ),
    "a pin of a run where nothing is": Case(
        pins("node,0,500,500,500,,,,,in", run=True),
        (r"AnnotationError: .*pins\.csv, line 2: no detection lies within",),
    ),
    "an embryo that is there already": Case(
        nothing,
        (r"is there already|exists already", r"fix:"),
        ("synthetic", "--out", "embryo", "--cells", "4", "--frames", "2"),
    ),
    "init where a chunk cannot be decoded": Case(
        broken_chunk,
        (r"warning: frame 5 is left out of the measurements: .* cannot be read", r"drift between frames 4 and 5"),
        ("init", "--movie", MOVIE, "--train", "embryo/train.csv", "--out", "new.toml"),
        code=0,
    ),
    "init with a bad interval": Case(
        nothing,
        (r"movie\.frame_interval_s .*greater than 0",),
        ("init", "--movie", MOVIE, "--train", "embryo/train.csv", "--frame-interval-s", "-1", "--out", "new.toml"),
    ),
    "init over a configuration": Case(
        nothing, (r"run\.toml exists already", r"--force"), ("init", "--movie", MOVIE, "--train", "embryo/train.csv")
    ),
}


def _made(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder


def exports(folder: Path) -> dict[str, bytes]:
    """Everything a run exported, by name."""
    root = folder / "run" / "exports"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bad_input_is_explained_and_nothing_finished_is_lost(
    case: Case, tiny: Path, morula: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny)
    before = exports(tiny)
    case.spoil(tiny)
    ended = morula(*case.command)
    assert ended.returncode == case.code, ended.stderr
    for words in case.says:
        assert re.search(words, ended.stderr), f"{words!r} is not said in:\n{ended.stderr}"
    assert "Traceback" not in ended.stderr
    if case.code:
        assert exports(tiny) == before
    if case.mended is not None:
        case.mended(tiny)
        again = morula(*case.command)
        assert again.returncode == 0, again.stderr
        for words in case.then:
            assert re.search(words, again.stderr), f"{words!r} is not said in:\n{again.stderr}"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes: room for a store, not for the weights of a network."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(
    small_disk: Path, tiny: Path, morula: Command
) -> None:
    run = ("run", tiny / "run.toml", "--run-dir", small_disk / "run")
    ended = morula(*run)
    assert ended.returncode == 1
    assert "DiskError" in ended.stderr
    assert "the disk is full" in ended.stderr
    assert "Traceback" not in ended.stderr
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    assert morula(*run).returncode == 0
    assert {name: data for name, data in exports(small_disk).items() if "napari" not in name} == {
        name: data for name, data in exports(tiny).items() if "napari" not in name
    }


def test_a_disk_that_fills_up_during_export_leaves_no_half_export(
    small_disk: Path, tiny: Path, morula: Command
) -> None:
    out = small_disk / "lineages.geff"
    (small_disk / "filler").write_bytes(bytes(2 * 2**20 - 8192))
    ended = morula("export", tiny / "run", "--format", "geff", "--out", out)
    assert ended.returncode == 1
    assert "DiskError" in ended.stderr
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_read_only_place_is_named(small_disk: Path, tiny: Path, morula: Command) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ended = morula("run", tiny / "run.toml", "--run-dir", small_disk / "run")
    assert ended.returncode == 1
    assert re.search(r"DiskError: .*run: this place cannot be written to", ended.stderr)
    assert "mounted read-only" in ended.stderr
