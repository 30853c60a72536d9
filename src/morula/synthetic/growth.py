"""Lineages of a growing embryo: who divides, who dies, who moves where. Owns time; mechanics are in `tissue`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, IntArray
from morula.core.tracks import Tracks
from morula.synthetic.params import EmbryoParams
from morula.synthetic.tissue import ellipsoid_semi_axes, flow_velocity, pack_cells, relax_cells

_SUBSTEPS = 2
_MEMORY = 0.5  # share of a cell's own velocity kept from one frame to the next


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The living cells of one frame: position (n, 3) and own velocity (n, 3) in µm, age and cycle length in frames."""

    zyx_um: FloatArray
    own_um: FloatArray
    age: FloatArray
    cycle: FloatArray


def grow_embryo(params: EmbryoParams, *, cells: int, seed: int) -> Tracks:
    """Grow a packed, flowing, dividing embryo.

    Parameters
    ----------
    params
        How it grows; `params.cells` is not used here, since some cells may lie outside the movie.
    cells
        Cells of the whole embryo in the first frame.
    seed
        Seed of everything random.

    Returns
    -------
    Tracks
        All cells of all frames, positions in µm from the embryo's centre; a daughter's parent is one frame earlier.
    """
    rng = np.random.default_rng([seed, 1])
    semi_um = ellipsoid_semi_axes(cells, params.spacing_um, params.flatness)
    cycle = _draw_cycles(cells, params, rng)
    state = _Cells(
        zyx_um=pack_cells(cells, params.spacing_um, semi_um, rng),
        own_um=rng.normal(0.0, params.jitter_um, (cells, 3)),
        age=params.growth_frames + rng.random(cells) * (cycle - params.growth_frames),
        cycle=cycle,
    )
    phase, turning = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1]) * rng.uniform(0.02, 0.05)
    handedness = rng.choice([-1.0, 1.0], 3) * np.array([0.7, 1.0, 0.35])
    ids = np.arange(cells, dtype=np.int64)
    table = [(np.zeros(cells, np.int32), state.zyx_um, ids, np.full(cells, -1, np.int64))]
    next_id = cells
    for t in range(1, params.frames):
        state, source = _choose_fates(state, params, rng)
        semi_um = ellipsoid_semi_axes(len(source), params.spacing_um, params.flatness)
        state = _move(state, params, semi_um, phase + turning * t, handedness)
        parents, ids = ids[source], next_id + np.arange(len(source), dtype=np.int64)
        next_id += len(source)
        table.append((np.full(len(ids), t, np.int32), state.zyx_um, ids, parents))
    t_all, zyx_um, id_all, parent_all = (np.concatenate(part) for part in zip(*table, strict=True))
    return Tracks.from_ids(t_all, zyx_um, id_all, parent_all)


def _draw_cycles(n: int, params: EmbryoParams, rng: np.random.Generator) -> FloatArray:
    """Draw gamma-distributed cycle lengths, never shorter than growing up and condensing again takes."""
    shape = params.cycle_spread**-2
    cycles: FloatArray = rng.gamma(shape, params.cycle_frames / shape, n)
    return np.maximum(cycles, params.growth_frames + 2.0)


def _choose_fates(state: _Cells, params: EmbryoParams, rng: np.random.Generator) -> tuple[_Cells, IntArray]:
    """Let cells die, age and divide; the second result is each new cell's row in the frame before."""
    alive = rng.random(len(state.age)) >= params.death_rate
    divides = alive & (state.age + 1 > state.cycle)
    stay, mothers = np.flatnonzero(alive & ~divides), np.flatnonzero(divides)
    source = np.concatenate([stay, np.repeat(mothers, 2)])
    axis = rng.normal(size=(len(mothers), 3)) * [0.6, 1.0, 1.0]
    axis *= 0.5 * params.daughter_gap_um / np.linalg.norm(axis, axis=1, keepdims=True)
    zyx_um, age, cycle = state.zyx_um[source], state.age[source] + 1, state.cycle[source]
    daughters = slice(len(stay), None)
    zyx_um[daughters] += np.stack([axis, -axis], axis=1).reshape(-1, 3)
    age[daughters] = 0.0
    cycle[daughters] = _draw_cycles(2 * len(mothers), params, rng)
    fresh = rng.normal(0.0, params.jitter_um * np.sqrt(1 - _MEMORY**2), (len(source), 3))
    return _Cells(zyx_um, _MEMORY * state.own_um[source] + fresh, age, cycle), source


def _move(state: _Cells, params: EmbryoParams, semi_um: FloatArray, phase: float, handedness: FloatArray) -> _Cells:
    """Carry the cells with the flow for one frame, in substeps, each followed by relaxation."""
    if not len(state.age):
        return state
    newborn = params.daughter_gap_um / params.spacing_um
    size = np.minimum(newborn + (1 - newborn) * state.age / params.growth_frames, 1.0)
    zyx_um = state.zyx_um
    for _ in range(_SUBSTEPS):
        velocity = flow_velocity(zyx_um, semi_um, phase, handedness)
        speed = np.sqrt((velocity**2).sum(axis=1).mean())
        step_um = velocity * (params.flow_um / max(speed, 1e-9)) + state.own_um
        zyx_um = relax_cells(zyx_um + step_um / _SUBSTEPS, size, params.spacing_um, semi_um, steps=4)
    return _Cells(zyx_um, state.own_um, state.age, state.cycle)
