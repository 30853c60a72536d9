"""Writing synthetic embryos to files: the movie, the whole truth, and the sparse part a person would have clicked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from pydantic import TypeAdapter, ValidationError

from morula.config import override_values, plain_values
from morula.core.progress import ProgressSink, ignore_progress
from morula.errors import ConfigError, DiskError
from morula.io.movies.ome_zarr_write import write_ome_zarr
from morula.io.tracks.files import read_tracks, write_tracks
from morula.synthetic.annotate import annotate_sparsely
from morula.synthetic.embryo import Embryo, make_embryo
from morula.synthetic.params import Difficulty, SyntheticParams, preset_params
from morula.synthetic.render import render_frames
from morula.synthetic.table import embryo_from_tracks

_NAMES = ("movie.ome.zarr", "truth.csv", "train.csv", "val.csv")


@dataclass(frozen=True, slots=True)
class SyntheticRequest:
    """What `morula synthetic` was asked for.

    Parameters
    ----------
    seed, cells, frames, difficulty
        Of a grown embryo.
    tracks, um_per_unit, min_cells
        Lineages to render instead; length of their unit in µm (chosen by the distance of neighbours if None), and how
        many cells the first frame taken has at least.
    settings
        Overrides such as ``{"render.photons": "40"}``.
    """

    seed: int = 0
    cells: int = 120
    frames: int = 32
    difficulty: str = "medium"
    tracks: Path | None = None
    um_per_unit: float | None = None
    min_cells: int = 100
    settings: Mapping[str, str] = field(default_factory=dict)


def write_synthetic(
    request: SyntheticRequest, out: Path, *, overwrite: bool = False, progress: ProgressSink = ignore_progress
) -> str:
    """Write ``movie.ome.zarr``, ``truth.csv``, ``train.csv`` and, last, ``val.csv`` into a folder; returns a summary.

    Raises
    ------
    ConfigError
        If a setting is unknown or out of range.
    DiskError
        If files are there already and `overwrite` is false, or the disk is full.
    """
    there = [name for name in _NAMES if (out / name).exists()]
    if there and not overwrite:
        raise DiskError(f"{out}: {', '.join(there)} exists already.", fix="give another --out, or --overwrite")
    params = _build_params(request)
    embryo = _build_embryo(request, params)
    train, val = annotate_sparsely(embryo.tracks, params.annotate, seed=params.seed)
    write_ome_zarr(
        out / "movie.ome.zarr",
        render_frames(embryo, params.render, seed=params.seed, progress=progress),
        shape_tzyx=embryo.shape_tzyx,
        dtype="uint16",
        voxel_size_um=embryo.voxel_size_um,
        frame_interval_s=embryo.frame_interval_s,
        overwrite=overwrite,
    )
    for name, tracks in (("truth", embryo.tracks), ("train", train), ("val", val)):
        write_tracks(tracks, out / f"{name}.csv", format="csv", overwrite=overwrite)
    share = (train.n + val.n) / embryo.tracks.n
    return (
        f"{embryo.shape_tzyx[0]} frames of {'×'.join(map(str, embryo.shape_tzyx[1:]))} voxels, "
        f"{embryo.tracks.n} points, "
        f"{int((embryo.tracks.n_children == 2).sum())} divisions, {share:.1%} annotated"
    )


def _build_params(request: SyntheticRequest) -> SyntheticParams:
    if request.difficulty not in get_args(Difficulty):
        raise ConfigError(
            f"--difficulty {request.difficulty}: unknown.", fix=f"one of {', '.join(get_args(Difficulty))}"
        )
    difficulty = cast(Difficulty, request.difficulty)
    preset = preset_params(difficulty, seed=request.seed, cells=request.cells, frames=request.frames)
    values = plain_values(preset)
    for key, text in request.settings.items():
        override_values(values, key, text)
    try:
        return TypeAdapter(SyntheticParams).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"--set {key}: {first['msg']}.", measured=f"{first['input']!r}") from None


def _build_embryo(request: SyntheticRequest, params: SyntheticParams) -> Embryo:
    if request.tracks is None:
        return make_embryo(params)
    tracks = read_tracks(request.tracks)
    return embryo_from_tracks(tracks, params, um_per_unit=request.um_per_unit, min_cells=request.min_cells)
