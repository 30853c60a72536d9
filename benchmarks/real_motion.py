"""Real motion, rendered: trained on a tenth of the ascidian embryo Pm03, judged on the rest of it and on Pm07.

usage: python benchmarks/real_motion.py --out runs/real-motion [--data ../shared/data/ascidian_astec]

The real lineages (late part, from the first frame with 100 cells) are rescaled to a median distance of 9 µm between
neighbours and rendered as light-sheet movies. The network and the cost weights come from Pm03 alone; Pm07 is another
embryo that neither has seen. Prints the table of all measures for both, beside blobs with greedy linking.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from morula.cli.progress_bars import ProgressBars
from morula.config import AnnotationsConfig, MovieConfig, RunConfig
from morula.draft import draft_config
from morula.learning import TRAINED
from morula.pipeline import run_pipeline
from morula.results import read_tuned_settings
from morula.store.run_directory import view_run
from morula.synthesis import SyntheticRequest, write_synthetic

ROWS = {
    "node recall": "node_recall",
    "node precision": "node_precision",
    "localisation, median (µm)": "localisation_median_um",
    "localisation, 95 % (µm)": "localisation_p95_um",
    "true links": "n_truth_edges",
    "missed links": "fn_edges",
    "identity switches": "identity_switches",
    "false divisions": "fp_divisions",
    "missed divisions": "fn_divisions",
    "errors per link": "errors_per_edge",
    "division F1 (± 1 frame)": "division_f1",
    "edge Jaccard, adjusted": "edge_jaccard_adjusted",
}


def main() -> None:
    """Render both embryos, run both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ascidian_astec"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with ProgressBars() as progress:
        for name in ("Pm03", "Pm07"):
            if not (options.out / name / "val.csv").exists():
                request = SyntheticRequest(seed=options.seed, tracks=options.data / f"{name}.csv")
                print(name, write_synthetic(request, options.out / name, progress=progress))
        first = configure_training(options.out / "Pm03")
        run_pipeline(first, options.out / "run-Pm03", progress=progress)
        second = configure_transfer(first, options.out)
        run_pipeline(second, options.out / "run-Pm07", progress=progress)
    print_table(options.out)


def configure_training(embryo: Path) -> RunConfig:
    """Settings as `morula init` derives them; the truth is added afterwards, for the figures only."""
    annotations = AnnotationsConfig(train=str(embryo / "train.csv"), val=str(embryo / "val.csv"))
    config = draft_config(MovieConfig(path=str(embryo / "movie.ome.zarr")), annotations).config
    return replace(config, annotations=replace(annotations, truth=str(embryo / "truth.csv")))


def configure_transfer(first: RunConfig, out: Path) -> RunConfig:
    """The same settings for the other embryo: network and cost weights from the first, nothing learned here."""
    with view_run(out / "run-Pm03") as run:
        solve = read_tuned_settings(run.store, first.solve)
        weights = run.paths.model / TRAINED
    return replace(
        first,
        movie=replace(first.movie, path=str(out / "Pm07" / "movie.ome.zarr")),
        annotations=AnnotationsConfig(truth=str(out / "Pm07" / "truth.csv")),
        model=replace(first.model, weights=str(weights)),
        tune=replace(first.tune, enabled=False),
        solve=solve,
    )


def print_table(out: Path) -> None:
    """Print the measures of both embryos as Markdown, ours beside the baseline's."""
    columns = []
    for name in ("Pm03", "Pm07"):
        figures = json.loads((out / f"run-{name}" / "exports" / "evaluation.json").read_text(encoding="utf-8"))
        for who in ("morula", "baseline"):
            columns.append((f"{name}, {who}", next(iter(figures[who].values()))))
    print("| measure | " + " | ".join(name for name, _ in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for label, key in ROWS.items():
        print(f"| {label} | " + " | ".join(format_figure(values[key]) for _, values in columns) + " |")
    for window in (1, 5, 10):
        shares = [format_figure(values["error_free_fraction"][window - 1]) for _, values in columns]
        print(f"| error-free lineages over {window} frames | " + " | ".join(shares) + " |")


def format_figure(value: float | None) -> str:
    """A count as it is, a ratio with three decimals, a dash for what is undefined."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


if __name__ == "__main__":
    main()
