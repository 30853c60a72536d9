"""How fast another run went: the rates of its stages, and how many detections it found.

What its stages took is held against what this program would have planned for it, so that halos and sizes of blocks are
accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from morula.config import read_config
from morula.core.movie import Movie
from morula.errors import StoreError
from morula.inputs import open_configured_movie
from morula.io.movies.chunks import find_chunk
from morula.network.model import load_model
from morula.planning.contents import Contents
from morula.planning.detection import cut_for_detection
from morula.planning.rates import USUAL, Rate, RateName, Rates
from morula.planning.work import Subject, Work, list_work
from morula.store.paths import RunPaths
from morula.store.places import find_place
from morula.store.reader import StoreReader
from morula.store.records import StageRecord
from morula.train.loop import choose_spec

_TRAINED = ("train", "train-1")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run tells about the next one.

    Parameters
    ----------
    rates
        Of the stages it finished, and of detection as far as it went.
    contents
        What it found, None while it has not detected everything.
    movie
        Its movie.
    weights
        Its trained network, None while there is none.
    """

    rates: Rates
    contents: Contents | None
    movie: Movie
    weights: Path | None


def read_finished(run_dir: Path) -> Finished:
    """Read what a run took; takes no lock and disturbs nobody.

    Parameters
    ----------
    run_dir
        Its directory; it may be running.

    Raises
    ------
    StoreError
        If there is no run here.
    MovieError
        If its movie is not there any more.
    """
    paths = RunPaths(run_dir)
    place = find_place(paths)
    if place is None or not paths.config.exists():
        raise StoreError(f"{run_dir}: there is no run here.", fix="give the folder that was given to `morula run`")
    config = read_config(paths.config)
    movie = open_configured_movie(config.movie)
    weights = next((paths.model / f"{name}.safetensors" for name in _TRAINED if _has(paths, name)), None)
    spec = choose_spec(movie, config.train) if weights is None else load_model(weights).spec
    grid = cut_for_detection(movie, spec, config.detect)
    with StoreReader.open(place) as store:
        stages = {record.name: record for record in store.read_stages()}
        found = _count_detections(stages, store)
        source = f"{found} detections in {run_dir}"
        contents = Contents(float(found or 1), source, counted=True)
        work = list_work(Subject(movie, find_chunk(movie.tzyx), config, spec, grid, contents))
        rates = _gather_rates(work, stages, store, str(run_dir))
    return Finished(rates, contents if found else None, movie, weights)


def _has(paths: RunPaths, name: str) -> bool:
    return (paths.model / f"{name}.safetensors").exists()


def _count_detections(stages: dict[str, StageRecord], store: StoreReader) -> int:
    """Count what was found, if that is all there is."""
    linked = stages.get("candidates")
    if linked is not None and linked.state == "done":
        return int(linked.summary["amount"])  # type: ignore[arg-type]
    detected = stages.get("detect")
    return store.read_detections().n if detected is not None and detected.state == "done" else 0


def _gather_rates(work: list[Work], stages: dict[str, StageRecord], store: StoreReader, source: str) -> Rates:
    amounts: dict[RateName, float] = {}
    seconds: dict[RateName, float] = {}
    for one in work:
        record = stages.get(one.stage)
        measured = None if record is None else _measure(one, record, store)
        if measured is not None:
            amounts[one.rate] = amounts.get(one.rate, 0.0) + measured[0]
            seconds[one.rate] = seconds.get(one.rate, 0.0) + measured[1]
    return {
        name: Rate(max(seconds[name] - _once_s(name), 0.1 * seconds[name]) / amount, _once_s(name), source)
        for name, amount in amounts.items()
        if amount > 0
    }


def _once_s(name: RateName) -> float:
    return USUAL[name].once_s if name in USUAL else 0.0


def _measure(work: Work, record: StageRecord, store: StoreReader) -> tuple[float, float] | None:
    """Return amount and seconds of a stage as far as it is done, None where that says nothing."""
    if work.blocks and record.n_blocks:
        done, seconds = store.sum_block_seconds(work.stage)
        return (work.amount * done / record.n_blocks, seconds) if done else None
    if record.state != "done" or (work.stage == "tune" and record.summary.get("amount") in (0, 1)):
        return None  # weights that were kept took no time
    return work.amount, record.seconds
