"""Accuracy of morula beside its peers: one table over movies and methods, on cells that nobody annotated.

    python benchmarks/bench_accuracy.py --out runs/accuracy [--seeds 3] [--data ../shared/data/ascidian_astec]
    python benchmarks/bench_accuracy.py --out runs/accuracy --only 'medium-*/blobs-*' 'hard-s3/morula'
    python benchmarks/bench_accuracy.py --out runs/accuracy --list      what there is and what is missing
    python benchmarks/bench_accuracy.py --out runs/accuracy --show      the table of what there is

Needs the extra `peers` (LapTrack, motile with SCIP). A whole pass takes hours on one core; every case and method leaves
``cells/CASE/METHOD.json``, and only what is missing is run. `--again` runs what `--only` names once more.

Cases. Embryos of `morula synthetic` in three difficulties, the three parts of the hard one alone (doubled frame
interval, low signal, stage jumps), real ascidian lineages rendered at their own and at a doubled interval (every second
frame), the medium one with 5 % and 2 % of its points annotated (elsewhere 10 %), and a small one for the paper's
network. The seed is part of the name; seeds 0 to 2 are those of the demo, at which defaults were chosen.

Methods. Peers learn nothing, so they are tuned on all annotations, those for training included: blobs of the scale and
window that `morula init` measures, their threshold at 0.5 to 2.8 times the split of noise and nuclei; greedy linking
with reach and one or two children; LapTrack (no gaps closed) with reach and reach of splits; motile with reach, linear
or squared distance, and all its costs. Greedy and LapTrack try every combination. For motile the usual setting and the
best of forty random ones are improved one setting after the other, with morula's solver in the place of SCIP (the same
optimum, a hundred times faster; beyond 20 000 detections within a gap of 1e-4); SCIP then solves the chosen one, for at
most two minutes, or the method carries an asterisk and its row is the optimum that morula's solver proves. All have the
drift between frames removed as morula does. The oracle is motile on the true positions by distance alone. morula runs
as `morula init` and `morula run` do.

A cell: errors (missed links, switches, false and missed divisions) per true link, recall and precision of nuclei, share
of lineages without error over ten frames, F1 of divisions (one frame early or late allowed), and CPU seconds, tuning
included ("our detections" and "true positions" from detections on).
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path

from accuracy_cases import Case, find_recipe, name_cases, open_case
from accuracy_methods import METHODS
from accuracy_morula import has_paper_network
from accuracy_table import Cell, Verdict, format_table, judge_case
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.held_out import find_unannotated


def main() -> None:
    """Run what is missing, then print the table and what is asked beside what was reached."""
    options = _parse_arguments()
    if options.out is None:  # `make bench` starts every benchmark; this one takes hours
        print(__doc__)
        return
    wanted = list(_list_cells(options.seeds, options.only))
    if not wanted:
        seeds = ", ".join(map(str, options.seeds))
        sys.exit(f"no cell is called {' or '.join(options.only)} (seeds {seeds}); --list names all")
    options.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=options.out / "log.txt", level=logging.INFO)
    if options.again:
        for case, method in wanted:
            _cell_path(options.out, case, method).unlink(missing_ok=True)
    if options.list:
        for case, method in wanted:
            print("there  " if _cell_path(options.out, case, method).exists() else "missing", f"{case}/{method}")
        return
    if not options.show:
        _run_missing(wanted, options.out, options.data)
    _print_results(options.out, options.seeds)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="without it this text is printed and nothing run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ascidian_astec"))
    parser.add_argument("--only", nargs="+", default=["*/*"], metavar="CASE/METHOD", help="patterns with * and ?")
    parser.add_argument("--again", action="store_true", help="run what --only names again")
    parser.add_argument("--list", action="store_true", help="say what is there and what is missing, and stop")
    parser.add_argument("--show", action="store_true", help="run nothing, print the table of what is there")
    return parser.parse_args()


def _list_cells(seeds: list[int], patterns: list[str]) -> Iterator[tuple[str, str]]:
    """Yield case and method of the cells that the table has and the patterns name."""
    for case in name_cases(seeds):
        for name, method in METHODS.items():
            named = any(fnmatch(f"{case}/{name}", pattern) for pattern in patterns)
            if named and method.applies_to(find_recipe(case)[0]):
                yield case, name


def _cell_path(out: Path, case: str, method: str) -> Path:
    return out / "cells" / case / f"{method}.json"


def _run_missing(wanted: list[tuple[str, str]], out: Path, data: Path) -> None:
    opened: Case | None = None
    for name, method in wanted:
        if _cell_path(out, name, method).exists():
            continue
        if opened is None or opened.name != name:
            opened = open_case(name, out / "cases" / name, data)
        reads = METHODS[method].reads
        if reads is not None and not _cell_path(out, name, reads).exists():
            run_cell(opened, reads, out)
        run_cell(opened, method, out)


def run_cell(case: Case, method: str, out: Path) -> Cell:
    """Run a method on a case from the beginning, judge its tracks and write the cell.

    Cells of methods that read its run directory go, because they are about another run.
    """
    print(f"{case.name}/{method} ...", flush=True, file=sys.stderr)
    for name, other in METHODS.items():
        if other.reads == method:
            _cell_path(out, case.name, name).unlink(missing_ok=True)
    run = out / "runs" / case.name / method
    for left in run.parent.glob(f"{run.name}*"):  # with its trials: a killed run would not tell its whole time
        if left.is_dir() and (left == run or left.name.startswith(f"{run.name}-trial-")):
            shutil.rmtree(left)
    run.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    outcome = METHODS[method].run(case, run)
    scored = find_unannotated(case.truth, case.annotations, max_distance_um=case.evaluate.max_distance_um / 2)
    evaluation = evaluate_tracks(outcome.tracks, case.truth, replace(case.evaluate, dense=True), scored=scored)
    cell = Cell.of(
        case.name, method, evaluation, seconds=outcome.seconds, proven=outcome.proven, settings=outcome.settings
    )
    cell.write(_cell_path(out, case.name, method))
    seconds = time.perf_counter() - began
    print(f"  {cell.errors_per_edge} errors per link, {outcome.seconds:.0f} CPU s, {seconds:.0f} s", file=sys.stderr)
    return cell


def _print_results(out: Path, seeds: list[int]) -> None:
    cells = [
        Cell.read(path)
        for case, method in _list_cells(seeds, ["*/*"])
        if (path := _cell_path(out, case, method)).exists()
    ]
    print("\n".join(format_table(cells, {name: method.words for name, method in METHODS.items()})))
    classical = [name for name, method in METHODS.items() if method.classical]
    verdicts: list[Verdict] = []
    for case in dict.fromkeys(cell.case for cell in cells):
        of_case = {cell.method: cell for cell in cells if cell.case == case}
        verdicts += judge_case(of_case, find_recipe(case)[1].aims, classical)
    print("\nWhat is asked:\n" + "\n".join(f"* {verdict}" for verdict in verdicts) if verdicts else "")
    if not has_paper_network():
        print("\nThe paper's network cannot be trained by this version and is left out.")
    summary = {
        "cells": [asdict(cell) for cell in cells],
        "asked": [{**asdict(verdict), "holds": verdict.holds} for verdict in verdicts],
    }
    (out / "accuracy.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
