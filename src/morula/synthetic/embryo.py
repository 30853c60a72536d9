"""An embryo before the camera: lineages placed in a movie, with the movie's shape. Owns geometry; draws no pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray
from morula.core.tracks import Tracks
from morula.synthetic.growth import grow_embryo
from morula.synthetic.nuclei import nucleus_radii
from morula.synthetic.params import MovieParams, SyntheticParams


@dataclass(frozen=True, slots=True, eq=False)
class Embryo:
    """Known lineages and the movie they are rendered into.

    Parameters
    ----------
    tracks
        The truth: every cell whose centre is inside the movie, µm, with radii. A cell that leaves and comes back
        begins a new lineage.
    tissue
        All cells, also those outside the movie whose rim may still be seen; what is drawn.
    shape_tzyx
        Shape of the movie.
    voxel_size_um
        Voxel size in µm, z, y, x; voxel i has its centre at i × voxel size.
    frame_interval_s
        Seconds between frames.
    """

    tracks: Tracks
    tissue: Tracks
    shape_tzyx: tuple[int, int, int, int]
    voxel_size_um: tuple[float, float, float]
    frame_interval_s: float

    @property
    def extent_um(self) -> FloatArray:
        """Centre of the last voxel in µm, order z, y, x, shape (3,)."""
        last: FloatArray = (np.array(self.shape_tzyx[1:]) - 1) * np.array(self.voxel_size_um)
        return last


def make_embryo(params: SyntheticParams) -> Embryo:
    """Grow an embryo and place it in a movie; `params.embryo.cells` of its cells are inside in the first frame.

    Parameters
    ----------
    params
        Seed and settings; the same give the same embryo.

    Examples
    --------
    >>> from morula.synthetic.params import preset_params
    >>> embryo = make_embryo(preset_params("easy", cells=20, frames=3))
    >>> int((embryo.tracks.t == 0).sum()), embryo.shape_tzyx[0]
    (20, 3)
    """
    wanted = params.embryo.cells
    total = max(wanted, round(wanted / (1.0 - params.movie.outside_share)))
    tissue = grow_embryo(params.embryo, cells=total, seed=params.seed)
    radius_um = nucleus_radii(tissue, params.embryo.spacing_um, params.render, seed=params.seed)
    return frame_tracks(
        Tracks(tissue.t, tissue.zyx_um, tissue.id, tissue.parent_row, radius_um),
        params.movie,
        n_frames=params.embryo.frames,
        outside=total - wanted,
        seed=params.seed,
    )


def frame_tracks(tissue: Tracks, params: MovieParams, *, n_frames: int, outside: int, seed: int) -> Embryo:
    """Place lineages in a movie that just holds them.

    Parameters
    ----------
    tissue
        Lineages in µm with any origin, frames from 0.
    params
        Voxel size, margin and stage jumps.
    n_frames
        Frames of the movie; the last ones may hold no cell.
    outside
        Number of cells of the first frame that lie beyond the movie's x = 0 face.
    seed
        Seed of the stage jumps.

    Returns
    -------
    Embryo
        Positions in µm from the centre of voxel 0; the movie's shape follows from the largest extent over time.
    """
    moved_um = tissue.zyx_um + _stage_offsets(n_frames, params, seed)[tissue.t]
    low_um = moved_um.min(axis=0) - params.margin_um
    high_um = moved_um.max(axis=0) + params.margin_um
    if outside:
        first_x = np.sort(moved_um[tissue.t == 0, 2])
        low_um[2] = first_x[outside - 1 : outside + 1].mean()
    voxel_um = np.array(params.voxel_size_um)
    size = np.ceil((high_um - low_um) / voxel_um).astype(int) + 1
    placed = Tracks(tissue.t, moved_um - low_um, tissue.id, tissue.parent_row, tissue.radius_um)
    inside = ((placed.zyx_um >= 0) & (placed.zyx_um <= (size - 1) * voxel_um)).all(axis=1)
    return Embryo(
        tracks=placed.rows(inside),
        tissue=placed,
        shape_tzyx=(n_frames, int(size[0]), int(size[1]), int(size[2])),
        voxel_size_um=params.voxel_size_um,
        frame_interval_s=params.frame_interval_s,
    )


def _stage_offsets(n_frames: int, params: MovieParams, seed: int) -> FloatArray:
    """Draw the shift of the scene in each frame, µm, shape (frames, 3): away at one jump, back at the next."""
    offset_um = np.zeros((n_frames, 3))
    rng = np.random.default_rng([seed, 2])
    jumps = np.sort(rng.choice(np.arange(1, n_frames), min(params.stage_jumps, n_frames - 1), replace=False))
    for start, stop in zip(jumps[::2], [*jumps[1::2], n_frames][: len(jumps[::2])], strict=True):
        direction = rng.normal(size=3) * [0.3, 1.0, 1.0]
        offset_um[start:stop] = params.stage_jump_um * direction / np.linalg.norm(direction)
    return offset_um
