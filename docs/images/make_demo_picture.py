"""Draws docs/images/demo.png: the last frame of a movie with the tracks found in it, and the lineage trees beside it.

After `make demo`, from the root of the project:

    .venv/bin/python docs/images/make_demo_picture.py

Movie and tracks may also be given: ``--movie embryo/movie.ome.zarr --tracks embryo/truth.csv``. The picture depends on
nothing else, so the same files give the same bytes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, zoom

from morula.core.columns import FloatArray
from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks
from morula.view.colours import PALETTE, colour_of_lineage
from morula.view.trees import Forest, lay_out_forest

Pixels = npt.NDArray[np.floating[Any]]

ROOT = Path(__file__).resolve().parents[2]
SIZE = (1280, 600)
EMBRYO = (24, 24, 760, 552)  # left, top, width, height of the two panels, pixels
TREES = (836, 50, 420, 500)
INK = (164, 176, 196)
BACKGROUND = (9, 11, 18)
TAIL_FRAMES = 11
MOST_BYTES = 400_000
BRIGHTNESS_STEPS = (3, 4, 6, 8, 12)  # finer steps cost bytes and show little; the first that fits is taken
FINE = 2  # lines are drawn this much larger and shrunk, for smooth edges


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Where a position in µm lies in the picture of the embryo: its longer side (y or x) lies horizontally."""

    axes: tuple[int, int]
    origin: FloatArray
    px_per_um: float

    @classmethod
    def of_movie(cls, movie: Movie) -> View:
        """Fit a movie into its panel."""
        size = np.array(movie.shape[1:]) * movie.voxel_size_um
        axes = (1, 2) if size[1] >= size[2] else (2, 1)
        left, top, width, height = EMBRYO
        scale = float(min(width / size[axes[0]], height / size[axes[1]]))
        spare = np.array([width, height]) - size[list(axes)] * scale
        return cls(axes, np.array([left, top]) + spare / 2, scale)

    def place(self, zyx_um: FloatArray, voxel_size_um: FloatArray) -> FloatArray:
        """Return pixels (horizontal, vertical) of positions, shape (n, 2)."""
        along = list(self.axes)
        placed: FloatArray = (zyx_um[:, along] + voxel_size_um[along] / 2) * self.px_per_um + self.origin
        return placed


def main() -> None:
    """Read movie and tracks and write the picture."""
    parser = argparse.ArgumentParser(description="Draw the picture of the README.")
    parser.add_argument("--movie", type=Path, default=ROOT / "demo/embryo-0/movie.ome.zarr")
    parser.add_argument("--tracks", type=Path, default=ROOT / "demo/run/exports/lineages.csv")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/demo.png")
    arguments = parser.parse_args()
    write_picture(open_movie(arguments.movie), read_tracks(arguments.tracks), arguments.out)


def write_picture(movie: Movie, tracks: Tracks, out: Path) -> None:
    """Draw a movie's last frame with its tracks, and their trees, into a PNG file."""
    lineages = _as_lineages(tracks)
    view = View.of_movie(movie)
    canvas: Pixels = np.full((SIZE[1], SIZE[0], 3), BACKGROUND, np.float32)
    canvas = _screen(canvas, _draw_light(movie, view))
    for lines, glow in (
        (_draw_tails(movie, lineages, view), 5.0),
        (_draw_trees(lay_out_forest(lineages, max_lineages=20), movie.n_frames), 4.0),
    ):
        colour, alpha = lines[..., :3], lines[..., 3:] / 255.0
        halo = gaussian_filter(colour * alpha, (glow, glow, 0)) * 0.9
        canvas = _screen(canvas, halo)
        canvas = canvas * (1 - alpha) + colour * alpha
    for step in BRIGHTNESS_STEPS:
        coarse = np.clip(np.round(np.clip(canvas, 0, 255) / step) * step, 0, 255)
        picture = Image.fromarray(coarse.astype(np.uint8))
        _write_words(picture, movie, view)
        picture.save(out, "PNG", optimize=True)
        if out.stat().st_size < MOST_BYTES:
            return


def _as_lineages(tracks: Tracks) -> Lineages:
    nothing = np.zeros(tracks.n)
    nodes = Detections(t=tracks.t, zyx_um=tracks.zyx_um, score=nothing, movement_um=np.zeros((tracks.n, 3)))
    return Lineages.from_parents(nodes, tracks.parent_row)


def _screen(below: Pixels, above: Pixels) -> Pixels:
    """Add light: both pictures stay visible, nothing becomes brighter than white."""
    lit: Pixels = 255.0 - (255.0 - np.clip(below, 0, 255)) * (255.0 - np.clip(above, 0, 255)) / 255.0
    return lit


def _draw_light(movie: Movie, view: View) -> Pixels:
    """Project the last frame by its maximum, from black over blue to a pale cyan; the deeper half a little dimmer."""
    frame = movie.frame(movie.n_frames - 1).astype(np.float32)
    frame = gaussian_filter(frame, 0.6)
    low, high = np.percentile(frame, [40, 99.7])
    bright = np.clip((frame - low) / (high - low), 0, 1)
    depth = np.linspace(1.0, 0.55, len(bright), dtype=np.float32)[:, None, None]
    top = (bright * depth).max(axis=0)
    if view.axes == (1, 2):
        top = top.T
    across, down = (movie.voxel_size_um[axis] * view.px_per_um for axis in view.axes)
    grown = np.clip(zoom(top, (down, across), order=3), 0, 1)
    panel = np.zeros((SIZE[1], SIZE[0]), np.float32)
    left, upper = np.round(view.origin).astype(int)
    fitted = grown[: SIZE[1] - upper, : SIZE[0] - left]
    panel[upper : upper + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    ramp = np.stack([panel**1.6 * 140, panel**1.15 * 180, panel**0.9 * 215], axis=-1)
    return gaussian_filter(ramp, (0.8, 0.8, 0)) * 0.72


def _draw_tails(movie: Movie, lineages: Lineages, view: View) -> Pixels:
    """Draw where each cell of the last frame came from, fading into the past, and a dot where it is."""
    last = movie.n_frames - 1
    at = view.place(lineages.nodes.zyx_um, movie.voxel_size_um) * FINE
    image = Image.new("RGBA", (SIZE[0] * FINE, SIZE[1] * FINE))
    pen = ImageDraw.Draw(image)
    colours = [_rgb(PALETTE[c]) for c in np.atleast_1d(colour_of_lineage(lineages.lineage_id))]
    goes_on = _find_ancestors(lineages, last)
    for row in np.argsort(lineages.nodes.t, kind="stable").tolist():
        mother, age = int(lineages.parent_row[row]), last - int(lineages.nodes.t[row])
        if mother >= 0 and goes_on[row] and age < TAIL_FRAMES:
            left = 1 - age / TAIL_FRAMES
            ends = [tuple(at[mother]), tuple(at[row])]
            pen.line(ends, fill=(*colours[row], int(40 + 190 * left)), width=round(FINE * (0.8 + 1.9 * left)))
    for row in np.flatnonzero(lineages.nodes.t == last).tolist():
        (across, down), radius = at[row], 3.8 * FINE
        rim = (across - radius, down - radius, across + radius, down + radius)
        pen.ellipse(rim, fill=(*_lighter(colours[row]), 255))
    return _shrunk(image)


def _find_ancestors(lineages: Lineages, last: int) -> npt.NDArray[np.bool_]:
    """Say which points are cells of the last frame, or have a descendant there."""
    ahead = lineages.nodes.t == last
    for row in np.argsort(-lineages.nodes.t, kind="stable").tolist():
        if ahead[row] and lineages.parent_row[row] >= 0:
            ahead[lineages.parent_row[row]] = True
    return np.asarray(ahead)


def _draw_trees(forest: Forest, n_frames: int) -> Pixels:
    """Draw the largest lineages, time downwards, every fork a division."""
    left, top, width, height = TREES
    leaves = sum(tree.n_leaves for tree in forest.trees)
    step = width / max(leaves + 0.8 * len(forest.trees), 1)
    image = Image.new("RGBA", (SIZE[0] * FINE, SIZE[1] * FINE))
    pen = ImageDraw.Draw(image)
    edge = float(left)
    for tree in forest.trees:
        colour = _rgb(PALETTE[colour_of_lineage(tree.lineage_id)])
        across = edge + (tree.place + 0.5) * step
        begin = np.where(tree.parent >= 0, tree.last_t[tree.parent], tree.first_t) * height / (n_frames - 1) + top
        end = tree.last_t * height / (n_frames - 1) + top
        for row, mother in enumerate(tree.parent.tolist()):
            path = [(across[row], begin[row]), (across[row], end[row])]
            if mother >= 0:
                path.insert(0, (across[mother], begin[row]))
            pen.line([(a * FINE, b * FINE) for a, b in path], fill=(*colour, 235), width=round(2.2 * FINE))
        edge += (tree.n_leaves + 0.8) * step
    return _shrunk(image)


def _shrunk(image: Image.Image) -> Pixels:
    return np.asarray(image.resize(SIZE, Image.Resampling.BOX), np.float32)


def _write_words(picture: Image.Image, movie: Movie, view: View) -> None:
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=15)
    bar_um = 20  # the built-in font has no µ
    right, low = EMBRYO[0] + EMBRYO[2], EMBRYO[1] + EMBRYO[3]
    pen.line([(right - bar_um * view.px_per_um, low), (right, low)], fill=INK, width=3)
    pen.text((right - bar_um * view.px_per_um / 2, low - 6), f"{bar_um} microns", fill=INK, font=font, anchor="mb")
    pen.text((TREES[0], TREES[1] - 16), "frame 0", fill=INK, font=font, anchor="lb")
    pen.text((TREES[0], TREES[1] + TREES[3] + 12), f"frame {movie.n_frames - 1}", fill=INK, font=font, anchor="lt")


def _rgb(hexadecimal: str) -> tuple[int, int, int]:
    red, green, blue = (int(hexadecimal[k : k + 2], 16) for k in (1, 3, 5))
    return red, green, blue


def _lighter(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = (round(c + (255 - c) * 0.45) for c in colour)
    return red, green, blue


if __name__ == "__main__":
    main()
