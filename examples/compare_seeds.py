"""How sure is a result? Train twice with different seeds and count the links on which both runs agree.

    python examples/compare_seeds.py run.toml runs/twice

Annotated places can be judged; all others cannot. Links that two independently trained networks both choose are more
likely to be right, and places where they differ are worth a look. This takes two runs' time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from morula.config import read_config
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams
from morula.io.tracks.files import read_tracks
from morula.pipeline import run_pipeline


def main() -> None:
    """Run twice and judge one result by the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[], help="table.name=value, for both runs")
    options = parser.parse_args()

    shared = dict(text.split("=", 1) for text in options.set)
    results = []
    for seed in (1, 2):
        config = read_config(options.config, {**shared, "train.seed": str(seed)})
        run_dir = options.folder / f"seed-{seed}"
        run_pipeline(config, run_dir, until="export")
        results.append(read_tracks(run_dir / "exports" / "lineages.csv"))
    params = EvaluateParams(max_distance_um=config.evaluate.max_distance_um, dense=True)
    judged = evaluate_tracks(results[0], results[1], params)
    share = judged.edge_errors.matched_edges / max(judged.n_truth_edges, 1)
    print(f"{share:.1%} of the second run's {judged.n_truth_edges} links are in the first run, too")


if __name__ == "__main__":
    main()
