"""Places to check first: the pasts most likely to be wrong, in words; found without any truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray
from morula.core.lineages import Lineages
from morula.view.report_data import Sureness


@dataclass(frozen=True, slots=True)
class Check:
    """One cell whose past is worth a look.

    Parameters
    ----------
    t
        Its frame.
    zyx_um
        Its position in µm, order z, y, x.
    decided
        What was decided, in words.
    look_at
        What to look at.
    right
        Probability that this is right.
    margin
        What another past would cost more at least, in the unit of the costs (µm).
    """

    t: int
    zyx_um: tuple[float, float, float]
    decided: str
    look_at: str
    right: float
    margin: float


@dataclass(frozen=True, slots=True)
class CheckList:
    """The pasts most likely to be wrong.

    Parameters
    ----------
    checks
        The first of them, the most doubtful first.
    n_decided
        Pasts that were decided.
    n_wrong
        How many of those are wrong, by the sum of probabilities.
    """

    checks: list[Check]
    n_decided: int
    n_wrong: float


def list_checks(lineages: Lineages, sureness: Sureness, max_checks: int = 30) -> CheckList:
    """List the pasts most likely to be wrong; equally likely ones by margin, then by row."""
    decided = sureness.right < 1
    rows = np.flatnonzero(decided)
    order = rows[np.lexsort((sureness.margin[rows], sureness.right[rows]))][:max_checks]
    children = lineages.tracks.n_children
    checks = []
    for row in order.tolist():
        parent = int(lineages.parent_row[row])
        n_sisters = int(children[parent]) if parent >= 0 else 0
        words = _describe(lineages, row, parent, n_sisters)
        z, y, x = lineages.nodes.zyx_um[row].tolist()
        right, margin = float(sureness.right[row]), float(sureness.margin[row])
        checks.append(Check(int(lineages.nodes.t[row]), (z, y, x), *words, right, margin))
    return CheckList(checks, len(rows), float((1 - sureness.right[rows]).sum()))


def count_doubts(lineages: Lineages, sureness: Sureness, n_frames: int) -> FloatArray:
    """Return how many pasts of each frame are wrong by the sum of probabilities, shape (n_frames,)."""
    doubts = np.bincount(lineages.nodes.t, weights=1 - sureness.right, minlength=n_frames)[:n_frames]
    return doubts.astype(np.float64)


def _describe(lineages: Lineages, row: int, parent: int, n_sisters: int) -> tuple[str, str]:
    if parent < 0:
        return "a track begins here", "is the cell there in the frame before, undetected or joined to something else?"
    moved = float(np.linalg.norm(lineages.nodes.zyx_um[row] - lineages.nodes.zyx_um[parent]))
    if n_sisters == 2:
        return (
            f"daughter of a division, {moved:.1f} µm from her mother",
            "does the mother divide, and are these her two daughters?",
        )
    frame = int(lineages.nodes.t[parent])
    return f"same cell as {moved:.1f} µm away in frame {frame}", "is it, or a neighbour that came into its place?"
