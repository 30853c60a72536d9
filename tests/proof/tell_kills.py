"""Make a table of the kills that `test_kills.py` noted: who was killed in which stage, and how the run took it.

    python tests/proof/tell_kills.py build/kills.jsonl

Only kills that passed every check are in the file, so the number of lines is the number of runs that ended with the
bytes of the undisturbed one.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

VICTIMS = {"worker": "a worker", "scheduler": "the scheduler", "run": "the run", "postgres": "PostgreSQL"}
STAGES = (
    "start", "drift", "train-1", "detect-1", "train", "detect", "candidates", "tune", "solve", "confidence", "blobs",
    "baseline", "evaluate", "export", "report",
)  # fmt: skip


def tell_kills(lines: Iterable[str]) -> str:
    """Return the table, in Markdown; a line before it counts.

    Examples
    --------
    >>> line = '{"victim": "worker", "stage": "tune", "store": "sqlite", "outcome": "went on"}'
    >>> print(tell_kills([line, line]))
    2 kills, 0 with the tables in PostgreSQL; afterwards, or after running again, all results were the same bytes.
    <BLANKLINE>
    | killed in | a worker | the scheduler | the run | PostgreSQL |
    |---|---|---|---|---|
    | tune | went on ×2 | | | |
    """
    kills = [json.loads(line) for line in lines]
    outcomes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for kill in kills:
        outcomes[kill["stage"], kill["victim"]][kill["outcome"]] += 1
    in_postgres = sum(kill["store"] == "postgres" for kill in kills)
    told = [
        f"{len(kills)} kills, {in_postgres} with the tables in PostgreSQL; "
        "afterwards, or after running again, all results were the same bytes.",
        "",
        " ".join(["| killed in |", *(f"{shown} |" for shown in VICTIMS.values())]),
        "|---" * (len(VICTIMS) + 1) + "|",
    ]
    for stage in STAGES:
        cells = [_show(outcomes[stage, victim]) for victim in VICTIMS]
        if any(cells):
            told.append(" ".join([f"| {stage} |", *(f"{cell} |" if cell else "|" for cell in cells)]))
    return "\n".join(told)


def _show(counted: Counter[str]) -> str:
    return ", ".join(f"{outcome} ×{n}" if n > 1 else outcome for outcome, n in sorted(counted.items()))


if __name__ == "__main__":
    sys.stdout.write(tell_kills(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()) + "\n")
