"""How well the division scores of finished demos tell mothers and newborn daughters, on cells that nobody annotated.

usage: python benchmarks/division_curve.py runs/demos/0 runs/demos/1 ...

A folder is what `morula demo --out` made. True points count where a detection lies within 4.4 µm; precision is that of
the detections above the score that finds the share of mothers (or daughters) named in the head of the column.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from morula.core.columns import BoolArray, FloatArray
from morula.evaluate.held_out import find_unannotated
from morula.io.tracks.files import read_tracks
from morula.matching.points import match_points
from morula.store.run_directory import view_run

WITHIN_UM, CLICK_UM = 4.4, 2.2
RECALLS = (0.1, 0.25, 0.5, 0.75, 0.9)


def measure_curve(score: FloatArray, is_one: BoolArray) -> tuple[FloatArray, float]:
    """Return the precision at each of `RECALLS`, and the average precision over all."""
    found = is_one[np.argsort(-score, kind="stable")]
    right = np.cumsum(found)
    precision = right / np.arange(1, len(found) + 1)
    at = np.searchsorted(right, np.ceil(np.array(RECALLS) * right[-1]))
    return precision[at], float(precision[found].mean())


def judge(folder: Path) -> None:
    """Print a row per score."""
    embryo = next(folder.glob("embryo-*"))
    truth, *annotated = (read_tracks(embryo / f"{name}.csv") for name in ("truth", "train", "val"))
    with view_run(folder / "run") as run:
        found = run.store.read_detections("detect")
    new = find_unannotated(truth, annotated, max_distance_um=CLICK_UM)
    rows, at, _ = match_points(truth.zyx_um, truth.t, found.zyx_um, found.t, max_distance_um=WITHIN_UM)
    rows, at = rows[new[rows]], at[new[rows]]
    splits = truth.n_children == 2
    newborn = (truth.parent_row >= 0) & splits[truth.parent_row]
    for name, event, known in (
        ("divides", splits, truth.t < truth.t.max()),
        ("born", newborn, truth.t > truth.t.min()),
    ):
        here = known[rows]
        score, is_one = getattr(found, name)[at[here]], event[rows[here]]
        precision, average = measure_curve(score, is_one)
        cells = [embryo.name, name, str(is_one.sum()), *(f"{p:.2f}" for p in precision), f"{average:.2f}"]
        cells += [f"{score.mean():.4f}", f"{is_one.mean():.4f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Judge every folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    heads = ["embryo", "score", "true ones", *(f"precision at recall {r:g}" for r in RECALLS), "average precision"]
    heads += ["mean score", "their share"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for folder in parser.parse_args().folders:
        judge(folder)


if __name__ == "__main__":
    main()
