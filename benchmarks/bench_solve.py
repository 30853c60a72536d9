"""Speed, memory and gap of the solver against their bounds, and against motile.

python benchmarks/bench_solve.py           all but the two longest
python benchmarks/bench_solve.py peers     1e4 nodes against motile 1.0.1 with SCIP (extra `peers`, ten minutes)
python benchmarks/bench_solve.py speed     1e5 and 1e6 nodes
python benchmarks/bench_solve.py growth    1e4, 1e5 and 1e6 nodes to the same gap
python benchmarks/bench_solve.py hard      movement known to half a spacing, scores that overlap
python benchmarks/bench_solve.py mouse     7e6 nodes, 3.7e7 links (ten minutes)
python benchmarks/bench_solve.py highs     1e5 nodes with HiGHS alone
python benchmarks/bench_solve.py compile   what the first solution costs after installation

Every instance is made and solved in a fresh process (`solve_once.py`). Exits 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ONCE = Path(__file__).with_name("solve_once.py")
HEADER = "instance              method   nodes     edges    CPU s   wall s   gap      status    peak MiB  objective"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Bound:
    """Something measured, and the most it may be."""

    what: str
    measured: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it is not more; NaN holds nothing."""
        return self.measured <= self.most

    def __str__(self) -> str:
        return f"{'ok    ' if self.holds else 'MISSED'} {self.what}: {self.measured:.3g}, at most {self.most:g}"


def main() -> None:
    """Run the benchmarks asked for, then say which bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", choices=[[], *BENCHMARKS], help="default: " + " ".join(DEFAULT))
    chosen = parser.parse_args().which or DEFAULT
    print(HEADER)
    bounds = [bound for name in chosen for bound in BENCHMARKS[name]()]
    print(*bounds, sep="\n")
    sys.exit(int(not all(bound.holds for bound in bounds)))


def compare_with_motile() -> Iterator[Bound]:
    """Solve the same model with both, ours before and after; SCIP's time is counted without building the model."""
    solve_small = partial(solve_once, nodes=10_000, edges=40_000)
    first = solve_small("1e4 before motile", repeat=3)
    theirs = solve_small("1e4", method="motile")
    last = solve_small("1e4 after motile", repeat=3)
    print(f"motile: {theirs['build_cpu_s']:.1f} CPU s more to build the model")
    ours = max(first["cpu_s"], last["cpu_s"])
    yield Bound("ours / SCIP's CPU seconds, 1e4 nodes", ours / theirs["cpu_s"], 1 / 100)
    difference = abs(first["objective"] - theirs["objective"]) / abs(theirs["objective"])
    yield Bound("relative difference of the objectives", difference, 1e-6)


def measure_speed() -> Iterator[Bound]:
    """Two sizes, each with its bounds."""
    figures = solve_once("1e5", nodes=100_000, edges=500_000, gap=1e-5)
    yield Bound("gap of 1e5 nodes", figures["gap"], 1e-5)
    yield Bound("CPU seconds of 1e5 nodes", figures["cpu_s"], 40)
    figures = solve_once("1e6", nodes=1_000_000, edges=5_000_000, gap=1e-4)
    yield Bound("gap of 1e6 nodes", figures["gap"], 1e-4)
    yield Bound("CPU seconds of 1e6 nodes", figures["cpu_s"], 180)
    yield Bound("GiB of 1e6 nodes", figures["peak_mib"] / 1024, 3)


def measure_growth() -> Iterator[Bound]:
    """Movies of 100 frames with more and more cells; for comparison such that get longer, too, with and without births.

    Longer movies of this generator are harder, presumably because cells that divide and leave at random places crowd.
    """
    for frames, tissue in ((100, "easy"), (None, "still"), (None, "easy")):
        cpu_s = {}
        for power in (4, 5, 6):
            name = f"1e{power} {tissue}, {frames or 'more'} frames"
            solve = partial(solve_once, nodes=10**power, edges=5 * 10**power, repeat=3 if power < 6 else 1)
            figures = solve(name, frames=frames, tissue=tissue, method="ascent", gap=1e-4)
            cpu_s[power] = figures["cpu_s"]
            yield Bound(f"gap of {name}", figures["gap"], 1e-4)
        exponent = math.log10(cpu_s[6] / cpu_s[4]) / 2
        if frames:
            yield Bound("exponent of the growth from 1e4 to 1e6 nodes", exponent, 1.15)
        else:
            print(f"exponent from 1e4 to 1e6 nodes where movies get longer, too, {tissue}: {exponent:.2f}")


def measure_hard() -> Iterator[Bound]:
    """The small one is to be proven, the large one to be bounded."""
    figures = solve_once("1e4 hard", nodes=10_000, edges=40_000, tissue="hard")
    yield Bound("gap of 1e4 hard nodes (0: proven)", figures["gap"] if figures["status"] == "optimal" else math.inf, 0)
    for gap in (1e-4, 1e-6):
        figures = solve_once("1e5 hard", nodes=100_000, edges=500_000, tissue="hard", gap=gap)
        yield Bound("gap of 1e5 hard nodes", figures["gap"], 2e-3)


def measure_mouse() -> Iterator[Bound]:
    """The size of the paper's mouse; making the instance is counted in both bounds."""
    figures = solve_once("7e6", nodes=7_000_000, edges=37_000_000, gap=1e-4)
    generate_s = figures["generate_cpu_s"]
    print(f"mouse: {generate_s:.0f} CPU s and {figures['generate_mib']:.0f} MiB to make the instance")
    yield Bound("minutes of 7e6 nodes, with making them", (figures["wall_s"] + generate_s) / 60, 40)
    yield Bound("GiB of 7e6 nodes", figures["peak_mib"] / 1024, 12)


def measure_highs() -> Iterator[Bound]:
    """HiGHS alone on the tight form: what the ascent has to be better than."""
    exact = solve_once("1e5", nodes=100_000, edges=500_000, method="exact")
    ascent = solve_once("1e5", nodes=100_000, edges=500_000, method="ascent", gap=1e-8)
    yield Bound("ours / HiGHS's CPU seconds, 1e5 nodes", ascent["cpu_s"] / exact["cpu_s"], 1)


def measure_compilation() -> Iterator[Bound]:
    """Solve a small graph with an empty cache of compiled loops."""
    with tempfile.TemporaryDirectory() as folder:
        figures = solve_once("first use", {"NUMBA_CACHE_DIR": folder}, nodes=1000, edges=4000, method="ascent")
        again = solve_once("second use", {"NUMBA_CACHE_DIR": folder}, nodes=1000, edges=4000, method="ascent")
    print(
        f"compiling: {figures['compile_cpu_s']:.1f} CPU s once, {again['compile_cpu_s']:.2f} to load what was compiled"
    )
    yield Bound("CPU seconds to load what was compiled", again["compile_cpu_s"], 1)


def solve_once(name: str, environment: dict[str, str] | None = None, **options: object) -> Figures:
    """Make and solve an instance in a fresh process; print its line of the table."""
    words = [word for key, value in options.items() if value is not None for word in (f"--{key}", str(value))]
    command = [sys.executable, str(ONCE), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (environment or {}))
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    found: Figures = json.loads(done.stdout)
    print(
        f"{name:21s} {options.get('method', 'auto'):7s} {found['nodes']:8d} {found['edges']:9d} {found['cpu_s']:8.2f} "
        f"{found['wall_s']:8.2f}  {found['gap']:7.1e}  {found['status']:8s} {found['peak_mib']:9.0f} "
        f"{found['objective']:12.2f}",
        flush=True,
    )
    return found


BENCHMARKS = {
    "peers": compare_with_motile,
    "speed": measure_speed,
    "growth": measure_growth,
    "hard": measure_hard,
    "mouse": measure_mouse,
    "highs": measure_highs,
    "compile": measure_compilation,
}
DEFAULT = ["speed", "growth", "hard", "highs", "compile"]

if __name__ == "__main__":
    main()
