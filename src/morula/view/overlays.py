"""What is drawn over a projection: detections, tracks, divisions, annotations and mistakes, as SVG path data.

Paths are grouped by colour, and above a number of cells only every k-th is drawn, so that a page of a large embryo
stays small; the caption says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.view.colours import colour_of_lineage
from morula.view.projections import Canvas

Place = Callable[[FloatArray], FloatArray]

TAIL_FRAMES = 8
_MAX_CELLS = 1200
_RADIUS = 9.0
_CROWDED = 250


@dataclass(frozen=True, slots=True)
class Layer:
    """One path of the drawing.

    Parameters
    ----------
    kind
        What it shows, the name of its switch on the page: detections, tracks, divisions, annotations, mistakes.
    css
        Further classes: the colour of a lineage, or the shape.
    path
        SVG path data.
    """

    kind: str
    css: str
    path: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """Everything drawn over one frame, and the numbers of its caption.

    Parameters
    ----------
    t
        Frame.
    layers
        Paths, from the lowest to the topmost.
    n_cells, n_rejected, n_divisions, n_annotated
        Cells of the lineages, detections left out of them, divisions between this frame and the next, annotated points.
    drawn_every
        1 where all cells are drawn, k where only every k-th is.
    """

    t: int
    layers: tuple[Layer, ...]
    n_cells: int
    n_rejected: int
    n_divisions: int
    n_annotated: int
    drawn_every: int


@dataclass(frozen=True, slots=True, eq=False)
class OverlaySource:
    """What overlays are drawn from; built once, asked for every frame shown.

    Parameters
    ----------
    canvas
        Where µm lie on the page.
    detections, lineages
        All detections, and the lineages among them.
    train, val
        Annotations, if any.
    mistakes
        Frame and position of each of the worst places: t of shape (n,), µm z, y, x of shape (n, 3).
    """

    canvas: Canvas
    detections: Detections
    lineages: Lineages
    train: Tracks | None
    val: Tracks | None
    mistakes: tuple[IntArray, FloatArray]

    def draw_frame(self, t: int) -> Overlay:
        """Draw everything there is in frame `t`."""
        nodes = self.lineages.nodes
        here = nodes.frame(t)
        rows = np.arange(here.start, here.stop)
        rejected = self._find_rejected(t)
        every = max(1, math.ceil(max(len(rows), len(rejected)) / _MAX_CELLS))
        radius = round(_RADIUS * min(1.0, max(0.6, math.sqrt(_CROWDED / max(len(rows), 1)))), 1)
        drawn = rows[self.lineages.tracklet_id[rows] % every == 0]
        layers = [
            *self._draw_tails(drawn, t),
            *self._draw_cells(drawn, rejected[::every], radius),
            *self._draw_divisions(t, every, radius),
            *self._draw_annotations(t, every),
            *self._draw_mistakes(t),
        ]
        annotations = [tracks for tracks in (self.train, self.val) if tracks is not None]
        return Overlay(
            t=t,
            layers=tuple(layer for layer in layers if layer.path),
            n_cells=len(rows),
            n_rejected=len(rejected),
            n_divisions=int((self.lineages.tracks.n_children[here] == 2).sum()),
            n_annotated=sum(int((tracks.t == t).sum()) for tracks in annotations),
            drawn_every=every,
        )

    def _find_rejected(self, t: int) -> FloatArray:
        """Return positions of this frame's detections that no lineage contains."""
        found = self.detections.zyx_um[self.detections.frame(t)]
        kept = set(map(bytes, self.lineages.nodes.zyx_um[self.lineages.nodes.frame(t)]))
        return found[[bytes(position) not in kept for position in found]]

    def _draw_tails(self, rows: IntArray, t: int) -> list[Layer]:
        chain = _follow_back(self.lineages, rows, t - TAIL_FRAMES)
        colour = colour_of_lineage(self.lineages.lineage_id[rows])
        half = TAIL_FRAMES // 2
        layers = []
        for css, part in (("old", chain[:, half:]), ("new", chain[:, : half + 1])):
            for number in np.unique(colour):
                path = self._in_both_views(partial(self._trace, part[colour == number]))
                layers.append(Layer("tracks", f"{css} c{number}", path))
        return layers

    def _trace(self, chain: IntArray, place: Place) -> str:
        lines = []
        for row in chain:
            row = row[row >= 0]
            if len(row) > 1:
                points = place(self.lineages.nodes.zyx_um[row])
                lines.append("M" + "L".join(f"{u:.1f} {v:.1f}" for u, v in points))
        return "".join(lines)

    def _draw_cells(self, rows: IntArray, rejected: FloatArray, radius: float) -> list[Layer]:
        colour = colour_of_lineage(self.lineages.lineage_id[rows])
        layers = [Layer("rejected", "", self._mark(rejected, _draw_ring, radius / 2))]
        for number in np.unique(colour):
            positions = self.lineages.nodes.zyx_um[rows[colour == number]]
            layers.append(Layer("detections", f"c{number}", self._mark(positions, _draw_ring, radius)))
        return layers

    def _draw_divisions(self, t: int, every: int, radius: float) -> list[Layer]:
        nodes = self.lineages.nodes
        recent = slice(nodes.frame(max(t - TAIL_FRAMES, 0)).start, nodes.frame(t).stop)
        drawn = self.lineages.tracklet_id[recent] % every == 0
        mothers: BoolArray = drawn & (self.lineages.tracks.n_children[recent] == 2)
        return [Layer("divisions", "", self._mark(nodes.zyx_um[recent][mothers], _draw_diamond, radius))]

    def _draw_annotations(self, t: int, every: int) -> list[Layer]:
        layers = []
        for css, tracks in (("train", self.train), ("val", self.val)):
            if tracks is not None:
                here = tracks.zyx_um[tracks.t == t][::every]
                layers.append(Layer("annotations", css, self._mark(here, _draw_square, _RADIUS * 1.6)))
        return layers

    def _draw_mistakes(self, t: int) -> list[Layer]:
        frame, zyx_um = self.mistakes
        return [Layer("mistakes", "", self._mark(zyx_um[frame == t], _draw_ring, 2.4 * _RADIUS))]

    def _mark(self, zyx_um: FloatArray, shape: Callable[[float, float, float], str], radius: float) -> str:
        return self._in_both_views(lambda place: "".join(shape(u, v, radius) for u, v in place(zyx_um)))

    def _in_both_views(self, draw: Callable[[Place], str]) -> str:
        return draw(self.canvas.place_top) + draw(self.canvas.place_side)


def _follow_back(lineages: Lineages, rows: IntArray, first_t: int) -> IntArray:
    """Return the rows of each cell's ancestors, newest first, shape (n, TAIL_FRAMES + 1); −1 beyond `first_t`."""
    chain = np.full((len(rows), TAIL_FRAMES + 1), -1, np.int64)
    chain[:, 0] = rows
    for step in range(1, TAIL_FRAMES + 1):
        before = chain[:, step - 1]
        parent = np.where(before >= 0, lineages.parent_row[before], -1)
        chain[:, step] = np.where((parent >= 0) & (lineages.nodes.t[parent] >= first_t), parent, -1)
    return chain


def _draw_ring(u: float, v: float, radius: float) -> str:
    r = f"{radius:g}"
    return f"M{u - radius:.1f} {v:.1f}a{r} {r} 0 1 0 {2 * radius:g} 0a{r} {r} 0 1 0-{2 * radius:g} 0"


def _draw_square(u: float, v: float, radius: float) -> str:
    side = f"{2 * radius:g}"
    return f"M{u - radius:.1f} {v - radius:.1f}h{side}v{side}h-{side}z"


def _draw_diamond(u: float, v: float, radius: float) -> str:
    r = f"{radius:g}"
    return f"M{u - radius:.1f} {v:.1f}l{r}-{r} {r} {r}-{r} {r}z"
