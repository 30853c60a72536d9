"""A run killed while it exports, at exact moments: what can be seen is whole, and the next run brings it to its end.

Python tells every act on a file before it happens (`sys.addaudithook`). One export after the other is killed when it is
complete but has not got its name yet, that is between two exports; and some in the middle of writing.
"""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from processes import THOROUGH, Running, run_morula
from traces import list_left_overs, read_results

pytestmark = pytest.mark.long

IN_THE_MIDDLE = range(20, 400, 20 if THOROUGH else 240)
NAMED = ("baseline.csv", "evaluation.json", "lineages.csv", "lineages.geff", "lineages.napari", "report.html")
MOMENTS = [*(NAMED if THOROUGH else NAMED[1::2]), *IN_THE_MIDDLE]
_ACTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")


def run_and_die(arguments: list[str], said: str, run: str, moment: str | int) -> None:
    """Be the command `morula` until a file of a run gets this name, or until its act of this number on its exports."""
    acts = 0

    def watch(event: str, values: tuple[object, ...]) -> None:
        nonlocal acts
        if event not in _ACTS or not str(values[0]).startswith((f"{run}/exports", f"{run}/.report")):
            return
        acts += 1
        named = event == "os.rename" and Path(str(values[1])).name == moment
        if named or acts == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    run_morula(arguments, said, {})


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_while_it_exports_shows_whole_files_only(
    moment: str | int, context: ForkServerContext, tiny: Path
) -> None:
    wanted, run = read_results(tiny / "run"), tiny / "run"
    report = (run / "report.html").stat().st_size

    def start(moment: str | int) -> Running:
        arguments, said = ["run", str(tiny / "run.toml"), "--run-dir", str(run)], tiny / f"said-{moment}.txt"
        return Running(context.Process(target=run_and_die, args=(arguments, str(said), str(run), moment)), said)

    for name in ("baseline.csv", "lineages.csv"):  # so that all from there on is made again
        (run / "exports" / name).unlink()
    killed = start(moment)
    assert killed.wait_for_end() == -signal.SIGKILL, killed.said
    found = read_results(run)
    assert found == {name: wanted[name] for name in found}
    missing = {name for name in NAMED if not (run / "exports" / name).exists() and not (run / name).exists()}
    assert "report.html" in missing
    if isinstance(moment, str):
        assert moment in missing
        assert not missing & set(NAMED[: NAMED.index(moment)])
    again = start("nothing")
    assert again.wait_for_end() == 0, again.said
    assert read_results(run) == wanted
    assert abs((run / "report.html").stat().st_size - report) < 2000  # it tells how long the stages took
    assert list_left_overs(run) == []


def test_the_moments_are_those_of_all_exports(tiny: Path) -> None:
    exported = {path.name for path in (tiny / "run" / "exports").iterdir()}
    assert exported | {"report.html"} == set(NAMED)
