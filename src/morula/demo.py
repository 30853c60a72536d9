"""The demo: an embryo is made, a tenth of its cells annotated, and everything morula does is done to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from morula.config import AnnotationsConfig, MovieConfig, format_config
from morula.core.progress import ProgressSink, ignore_progress
from morula.draft import draft_config
from morula.pipeline import run_pipeline
from morula.store.disk import write_text
from morula.synthesis import SyntheticRequest, write_synthetic


def run_demo(out: Path, *, seed: int = 0, progress: ProgressSink = ignore_progress) -> None:
    """Make the embryo ``out/embryo-SEED`` unless it is there, and run the whole pipeline in ``out/run``.

    The truth of the embryo is used for the figures of the report only; neither training nor tuning sees it.
    """
    embryo = out.resolve() / f"embryo-{seed}"
    if not (embryo / "val.csv").exists():  # the file written last; what a killed demo left is replaced
        write_synthetic(SyntheticRequest(seed=seed), embryo, overwrite=True, progress=progress)
    movie = MovieConfig(path=str(embryo / "movie.ome.zarr"))
    annotations = AnnotationsConfig(train=str(embryo / "train.csv"), val=str(embryo / "val.csv"))
    draft = draft_config(movie, annotations, progress=progress)
    annotations = replace(annotations, truth=str(embryo / "truth.csv"))
    config = replace(draft.config, annotations=annotations)
    write_text(out / "run.toml", format_config(config, draft.reasons))
    run_pipeline(config, out / "run", progress=progress)
