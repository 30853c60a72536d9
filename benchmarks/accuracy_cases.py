"""The movies of the accuracy table: what each is made of, and how it is made once and opened again.

Owns names, recipes and what is asked of each. A case is a folder with the movie, the whole truth, the clicked part of
it, and ``case.json``: the lengths that `morula init` measures, which every peer is given.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from morula.config import AnnotationsConfig, MovieConfig
from morula.core.columns import FloatArray
from morula.core.tracks import Tracks
from morula.draft import draft_config
from morula.evaluate.params import EvaluateParams
from morula.inputs import Inputs
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks, write_tracks
from morula.synthesis import SyntheticRequest, write_synthetic


@dataclass(frozen=True, kw_only=True)
class Aims:
    """What is asked: errors per link over those of the best classical peer, and least shares of what is right."""

    share_of_peer: float | None = None
    error_free: float | None = None
    division_f1: float | None = None


MEDIUM = Aims(share_of_peer=1 / 4, error_free=0.95, division_f1=0.85)
HARD = Aims(share_of_peer=1 / 3, error_free=0.85, division_f1=0.75)
RENDERED = Aims(share_of_peer=1 / 4)
RENDERED_FAST = Aims(share_of_peer=1 / 3)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a case is made of: difficulty and settings of `morula synthetic`, or a table of real lineages.

    `every` keeps each n-th frame of the table.
    """

    difficulty: str = "medium"
    settings: Mapping[str, str] = field(default_factory=dict)
    cells: int = 120
    frames: int = 32
    table: str | None = None
    every: int = 1
    aims: Aims = field(default_factory=Aims)


def share_annotated(share: float) -> dict[str, str]:
    """Annotate this share of all points, three tenths of it for validation as everywhere else."""
    return {"annotate.share": f"{share:g}", "annotate.val_share": f"{0.3 * share:g}"}


INTERVAL = {
    "movie.frame_interval_s": "180",
    "embryo.flow_um": "6",
    "embryo.jitter_um": "0.7",
    "embryo.cycle_frames": "47.5",
    "embryo.growth_frames": "2",
}
SIGNAL = {"render.photons": "30", "render.haze": "0.35"}
RECIPES = {
    "easy": Recipe(difficulty="easy"),
    "medium": Recipe(aims=MEDIUM),
    "hard": Recipe(difficulty="hard", aims=HARD),
    "hard-interval": Recipe(settings=INTERVAL, aims=HARD),
    "hard-signal": Recipe(settings=SIGNAL, aims=HARD),
    "hard-jumps": Recipe(settings={"movie.stage_jumps": "2"}, aims=HARD),
    "pm03": Recipe(table="Pm03", aims=RENDERED),
    "pm07": Recipe(table="Pm07", aims=RENDERED),
    "pm03-doubled": Recipe(table="Pm03", every=2, aims=RENDERED_FAST),
    "pm07-doubled": Recipe(table="Pm07", every=2, aims=RENDERED_FAST),
    "medium-5pct": Recipe(settings=share_annotated(0.05)),
    "medium-2pct": Recipe(settings=share_annotated(0.02)),
    "crop": Recipe(cells=40, frames=16),
}
"""`hard-…` are the three parts of `hard` alone, `…-doubled` rendered lineages of which every second frame was seen."""


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """What `morula init` measures and every method is given, µm: blob scale and window, reach of links, of matches."""

    blob_sigma_um: float
    window_um: float
    reach_um: float
    match_um: float


@dataclass(frozen=True, eq=False)
class Case:
    """A movie with its truth and annotations, opened."""

    name: str
    folder: Path
    inputs: Inputs
    lengths: Lengths
    evaluate: EvaluateParams

    @property
    def annotations(self) -> tuple[Tracks, ...]:
        """What was clicked, for training and for validation, without empty ones."""
        return tuple(tracks for tracks in (self.inputs.train, self.inputs.val) if tracks.n)

    @property
    def truth(self) -> Tracks:
        """All cells."""
        if self.inputs.truth is None:
            raise ValueError(f"{self.name} has no truth")
        return self.inputs.truth

    @property
    def extent_um(self) -> FloatArray:
        """Centre of the movie's last voxel."""
        return self.inputs.movie.extent_um


def name_cases(seeds: Sequence[int]) -> list[str]:
    """Return the names of all cases, such as ``hard-signal-s3``, one recipe after the other."""
    return [f"{recipe}-s{seed}" for recipe in RECIPES for seed in seeds]


def find_recipe(case: str) -> tuple[str, Recipe, int]:
    """Return the recipe of a case, its name, and the case's seed."""
    recipe, _, seed = case.rpartition("-s")
    return recipe, RECIPES[recipe], int(seed)


def open_case(case: str, folder: Path, data: Path) -> Case:
    """Open a case, and make it before that where it is not there.

    Parameters
    ----------
    case
        Its name.
    folder
        Where it lies, or will lie.
    data
        Folder with the tables of real lineages.
    """
    if not (folder / "case.json").exists():
        _make_case(case, folder, data)
    lengths = Lengths(**json.loads((folder / "case.json").read_text(encoding="utf-8")))
    train, val, truth = (read_tracks(folder / f"{name}.csv") for name in ("train", "val", "truth"))
    inputs = Inputs(open_movie(str(folder / "movie.ome.zarr")), train, val, truth)
    return Case(case, folder, inputs, lengths, EvaluateParams(max_distance_um=lengths.match_um))


def _make_case(case: str, folder: Path, data: Path) -> None:
    """Make a case beside its folder and move it there whole, unless another process was faster."""
    _, recipe, seed = find_recipe(case)
    begun = folder.with_name(f"{folder.name}.{os.getpid()}")
    begun.mkdir(parents=True)
    write_synthetic(_request(recipe, seed, begun, data), begun)
    (begun / "case.json").write_text(json.dumps(asdict(_measure(begun)), indent=1), encoding="utf-8")
    if (folder / "case.json").exists():
        shutil.rmtree(begun)
        return
    shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
    begun.rename(folder)


def configure_inputs(folder: Path) -> tuple[MovieConfig, AnnotationsConfig]:
    """Return what `morula init` is given: the movie and the clicked part, never the truth."""
    val = folder / "val.csv"
    annotations = AnnotationsConfig(train=str(folder / "train.csv"), val=str(val) if read_tracks(val).n else None)
    return MovieConfig(path=str(folder / "movie.ome.zarr")), annotations


def _measure(folder: Path) -> Lengths:
    config = draft_config(*configure_inputs(folder)).config
    return Lengths(
        blob_sigma_um=config.train.blob_sigma_um,
        window_um=float(config.detect.window_um or config.train.mask_radius_um),
        reach_um=config.candidates.max_distance_um,
        match_um=config.evaluate.max_distance_um,
    )


def _request(recipe: Recipe, seed: int, folder: Path, data: Path) -> SyntheticRequest:
    table = None
    if recipe.table is not None:
        table = data / f"{recipe.table}.csv"
        if recipe.every > 1:
            fewer = keep_frames(read_tracks(table), recipe.every)
            table = folder / "lineages.csv"
            write_tracks(fewer, table, format="csv", overwrite=True)
    return SyntheticRequest(
        seed=seed,
        cells=recipe.cells,
        frames=recipe.frames,
        difficulty=recipe.difficulty,
        tracks=table,
        settings=recipe.settings,
    )


def keep_frames(tracks: Tracks, every: int) -> Tracks:
    """Keep the frames 0, n, 2n … and number them from 0; a point's parent is its nearest ancestor that is left.

    Where a cell divides in a frame that goes, its daughters are children of the last point of the mother that stays.
    """
    kept = tracks.t % every == 0
    ancestor = tracks.parent_row.copy()
    for _ in range(every - 1):
        gone = (ancestor >= 0) & ~kept[ancestor]
        ancestor[gone] = tracks.parent_row[ancestor[gone]]
    joined = np.flatnonzero(kept & (ancestor >= 0))
    parent_id = np.full(tracks.n, -1)
    parent_id[joined] = tracks.id[ancestor[joined]]
    return Tracks.from_ids(tracks.t[kept] // every, tracks.zyx_um[kept], tracks.id[kept], parent_id[kept])
