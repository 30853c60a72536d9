"""How long `import morula` and `morula --help` take, each in a fresh process: the median of several runs.

usage: python benchmarks/bench_import.py [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

GOALS_S = {"import morula": 0.3, "morula --help": 0.6}
COMMANDS = {
    "import morula": [sys.executable, "-c", "import morula"],
    "morula --help": [sys.executable, "-m", "morula", "--help"],
}


def main() -> None:
    """Time both commands; exit 1 if one is slower than its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    slow = False
    for name, command in COMMANDS.items():
        seconds = []
        for _ in range(runs):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - began)
        median = statistics.median(seconds)
        slow |= median > GOALS_S[name]
        print(f"{name}: median {median:.2f} s of {runs} runs (goal {GOALS_S[name]} s)")
    sys.exit(int(slow))


if __name__ == "__main__":
    main()
