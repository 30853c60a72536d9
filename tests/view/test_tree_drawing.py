"""The drawing of the trees: forks, marks and axis at the right heights, trees beside each other."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.view.colours import colour_of_lineage
from morula.view.tree_drawing import draw_forest
from morula.view.trees import lay_out_forest


def lineages(t: list[int], parent: list[int]) -> Lineages:
    n = len(t)
    zyx = np.arange(3.0 * n).reshape(n, 3)
    return Lineages.from_parents(Detections(np.array(t), zyx, np.ones(n), np.zeros((n, 3))), np.array(parent, np.int64))


@pytest.fixture
def two_trees() -> Lineages:
    """Frames 0–3; the second cell appears in frame 1 and ends in frame 2.

    0 ─ 2 ─┬─ 4 ─ 7
           └─ 5 ─ 8
        3 ─── 6
    1
    """
    return lineages([0, 0, 1, 1, 2, 2, 2, 3, 3], [-1, -1, 0, -1, 2, 2, 3, 4, 5])


def heights(path: str) -> list[float]:
    return [float(v) for v in re.findall(r"V([\d.]+)", path)]


def test_daughters_start_at_the_fork_below_their_mother(two_trees: Lineages) -> None:
    drawing = draw_forest(lay_out_forest(two_trees), 4)
    at = dict(drawing.ticks)

    branches = re.findall(r"M([\d.]+) ([\d.]+)(?:H([\d.]+))?V([\d.]+)", drawing.trees[0].branches)

    spans = [float(height) for _, top, _, bottom in branches for height in (top, bottom)]
    assert spans == pytest.approx([at[0], at[1], at[1], at[3], at[1], at[3]], abs=0.06)
    (root, *_), (fork_left, _, left, _), (fork_right, _, right, _) = branches
    assert root == fork_left == fork_right
    assert float(left) < float(root) < float(right)


def test_appearing_and_ending_cells_are_marked(two_trees: Lineages) -> None:
    forking, passing, lone = draw_forest(lay_out_forest(two_trees), 4).trees

    assert (forking.starts, forking.ends) == ("", "")
    assert (passing.starts.count("M"), passing.ends.count("M")) == (1, 1)
    assert (lone.starts, lone.ends.count("M")) == ("", 1)
    assert heights(lone.branches)[0] > 0


def test_branches_left_out_are_marked_as_going_on(two_trees: Lineages) -> None:
    (tree,) = draw_forest(lay_out_forest(two_trees, max_lineages=1, max_branches=1), 4).trees

    assert tree.cuts.count("M") == 1
    assert tree.ends == ""
    assert tree.title == "Lineage 0: 6 points, frames 0 to 1, 1 division; 2 branches not drawn"


def test_trees_stand_beside_each_other_without_touching(two_trees: Lineages) -> None:
    drawing = draw_forest(lay_out_forest(two_trees), 4)
    spans = []
    for tree in drawing.trees:
        across = [float(u) for u in re.findall(r"[MH]([\d.]+)", tree.branches)]
        spans.append((min(across), max(across)))

    assert all(right + 10 < left for (_, right), (left, _) in pairwise(spans))
    assert drawing.axis_width < spans[0][0]
    assert spans[-1][1] < drawing.width


def test_colours_are_those_of_the_movie(two_trees: Lineages) -> None:
    for tree in draw_forest(lay_out_forest(two_trees), 4).trees:
        assert tree.css == f"c{colour_of_lineage(int(tree.label))}"


@pytest.mark.parametrize("n_frames", [1, 2, 30, 531, 40_000])
def test_the_axis_has_readable_ticks_whatever_the_length(n_frames: int) -> None:
    drawing = draw_forest(lay_out_forest(lineages([0], [-1])), n_frames)
    frames, at = zip(*drawing.ticks, strict=True)

    assert frames[0] == 0
    assert frames[-1] < n_frames
    assert 1 <= len(frames) <= 60
    assert all(b - a >= 20 for a, b in pairwise(at))
    assert drawing.height < 800
