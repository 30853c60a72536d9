"""The laid-out lineages as one SVG drawing: coordinates, paths and a frame axis, ready for the template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.view.colours import colour_of_lineage
from morula.view.trees import Forest, TreeLayout

_LEAF_STEP = 11.0
_TREE_GAP = 13.0
_AXIS_WIDTH = 46.0
_TOP, _BOTTOM = 26.0, 10.0
_HEIGHT_RANGE = (200.0, 640.0)
_FRAME_HEIGHT = 13.0
_TICK_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


@dataclass(frozen=True, slots=True)
class DrawnTree:
    """One tree of the drawing.

    Parameters
    ----------
    css
        Class of the lineage's colour.
    branches
        Path data of all branches and forks.
    starts, ends, cuts
        Path data of marks: appears after the first frame shown, ends before the last, goes on undrawn.
    label, label_at
        Number of the lineage, and where it stands.
    title
        What the browser says on hovering.
    """

    css: str
    branches: str
    starts: str
    ends: str
    cuts: str
    label: str
    label_at: float
    title: str


@dataclass(frozen=True, slots=True)
class ForestDrawing:
    """The whole drawing.

    Parameters
    ----------
    width, height
        Size in drawing units, which are pixels where the page has room.
    axis_width
        Where the frame lines begin, right of their labels.
    ticks
        Frame and height of each line of the axis.
    trees
        The trees, from left to right.
    """

    width: float
    height: float
    axis_width: float
    ticks: tuple[tuple[int, float], ...]
    trees: tuple[DrawnTree, ...]


def draw_forest(forest: Forest, n_frames: int) -> ForestDrawing:
    """Draw laid-out lineages of a movie with `n_frames` frames, time downwards."""
    low, high = _HEIGHT_RANGE
    span = min(max(_FRAME_HEIGHT * (n_frames - 1), low), high)
    per_frame = span / max(n_frames - 1, 1)
    left, trees = _AXIS_WIDTH + _TREE_GAP, []
    for tree in forest.trees:
        trees.append(_draw_tree(tree, left, per_frame, n_frames))
        left += max(tree.n_leaves, 2) * _LEAF_STEP + _TREE_GAP
    step = next((s for s in _TICK_STEPS if s * per_frame >= 24), _TICK_STEPS[-1])
    ticks = tuple((t, _TOP + t * per_frame) for t in range(0, n_frames, step))
    return ForestDrawing(left, _TOP + span + _BOTTOM, _AXIS_WIDTH, ticks, tuple(trees))


def _draw_tree(tree: TreeLayout, left: float, per_frame: float, n_frames: int) -> DrawnTree:
    u = left + (tree.place + 0.5 * (2 if tree.n_leaves == 1 else 1)) * _LEAF_STEP
    top, bottom = _TOP + tree.first_t * per_frame, _TOP + tree.last_t * per_frame
    # a daughter's line begins at her mother's last frame, where the fork is
    fork = tree.parent >= 0
    top = np.where(fork, bottom[tree.parent], top)
    is_mother = np.isin(np.arange(len(u)), tree.parent)
    branches = []
    for row in range(len(u)):
        mother = tree.parent[row]
        start = f"M{u[mother]:.1f} {top[row]:.1f}H{u[row]:.1f}" if mother >= 0 else f"M{u[row]:.1f} {top[row]:.1f}"
        branches.append(f"{start}V{max(bottom[row], top[row] + 0.1):.1f}")
    late = ~fork & (tree.first_t > 0)
    early = ~is_mother & ~tree.is_cut & (tree.last_t < n_frames - 1)
    return DrawnTree(
        css=f"c{colour_of_lineage(tree.lineage_id)}",
        branches="".join(branches),
        starts="".join(f"M{a:.1f} {b:.1f}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0" for a, b in _pairs(u, top, late)),
        ends="".join(f"M{a - 3.5:.1f} {b:.1f}h7" for a, b in _pairs(u, bottom, early)),
        cuts="".join(f"M{a - 3:.1f} {b + 2:.1f}l3 4 3-4" for a, b in _pairs(u, bottom, tree.is_cut)),
        label=str(tree.lineage_id),
        label_at=float(u[0]),
        title=_describe_tree(tree),
    )


def _pairs(u: np.ndarray, v: np.ndarray, keep: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(u[keep].tolist(), v[keep].tolist(), strict=True))


def _describe_tree(tree: TreeLayout) -> str:
    divisions = {0: "no division", 1: "1 division"}.get(tree.n_divisions, f"{tree.n_divisions} divisions")
    hidden = f"; {tree.n_hidden} branches not drawn" if tree.n_hidden else ""
    return (
        f"Lineage {tree.lineage_id}: {tree.n_nodes} points, "
        f"frames {int(tree.first_t.min())} to {int(tree.last_t.max())}, {divisions}{hidden}"
    )
