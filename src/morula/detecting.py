"""The stage of detection in blocks: planned once, recorded, gone on with, and what it left out.

How a movie is cut is no part of the result. It is fixed when the stage begins and recorded with its settings in the
store, so that a run goes on with the same blocks on a machine with other memory, and a finished one stays finished
whatever the block settings say later.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import cast

from morula.config import plain_values
from morula.core.blocks import Block
from morula.core.movie import Movie
from morula.core.progress import ProgressSink
from morula.detect.memory import Memory, project_memory, share_memory
from morula.detect.params import BLOCK_SETTINGS, DetectParams
from morula.detect.plan import BlockShape, choose_block_shape, count_seen, cut_movie, project_smallest
from morula.detect.predict import Found, search_block
from morula.engine.capacity import measure_core_bytes
from morula.engine.engine import BlockJob, Engine
from morula.inputs import Inputs
from morula.network.device import measure_card_bytes
from morula.network.intensity import IntensityRange, measure_intensity
from morula.network.model import load_model
from morula.network.spec import NetworkSpec
from morula.stabilising import identify_drift
from morula.store.disk import write_json
from morula.store.fingerprint import canonical_text
from morula.store.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)
_GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Search:
    """A stage of detection.

    Parameters
    ----------
    name, after
        Name of the stage, and of the one that left the weights.
    weights
        The network.
    params
        Settings of detection.
    memory
        What blocks are cut for, or the smallest ones where that is too little; by default the memory of a worker on
        this machine.
    choose
        Takes all blocks of the movie and returns those to search.
    """

    name: str
    after: str
    weights: Path
    params: DetectParams
    memory: Memory | None = None
    choose: Callable[[Sequence[Block]], Sequence[Block]] = list


def run_detection(run: RunDirectory, inputs: Inputs, search: Search, engine: Engine, progress: ProgressSink) -> None:
    """Find the nuclei of a movie, or of the blocks chosen, as a stage of a run."""
    name, params = search.name, search.params
    model = load_model(search.weights)
    model.check_movie(inputs.movie)
    settings = {
        "detect": {key: value for key, value in plain_values(params).items() if key not in BLOCK_SETTINGS},
        "inputs": inputs.identify("movie"),
        **identify_drift(inputs.movie),
    }
    cutting, shape = _fix_blocks(run, search, settings, inputs.movie, model.spec)
    blocks = search.choose(cut_movie(inputs.movie, model.spec, params, shape))
    constants = run.paths.model / f"{name}-intensity.json"
    with run.stage(
        name,
        {**settings, "cutting": cutting},
        after=[search.after],
        scratch=[constants],
        n_blocks=len(blocks),
        check=partial(measure_intensity, inputs.movie, model.spec.low_percentile, model.spec.high_percentile),
    ) as stage:
        if stage.done:
            return
        _tell_memory(name, blocks, inputs.movie, model.spec, params)
        intensity = _measure_once(inputs.movie, model.spec, constants)
        pending = stage.pending_blocks(blocks)
        work = partial(search_block, movie=inputs.movie, model=model, intensity=intensity, params=params)
        job = BlockJob(name, pending, work, n_done_before=len(blocks) - len(pending), on_card=True)

        def write(block: Block, found: Found, seconds: float) -> None:
            stage.write_block(block, found.detections, seconds, count=found.skipped_vox)

        engine.run_blocks(job, on_done=write, on_failed=stage.write_failed_block, progress=progress)
        voxels, skipped = _count_voxels(blocks), sum(run.store.read_block_counts(name).values())
        if skipped:
            _LOG.info("%s: %.0f %% of the voxels were masked or empty and were skipped", name, 100 * skipped / voxels)
        stage.finish({"amount": voxels / 1e6, "unit": "megavoxels", "skipped_share": skipped / max(voxels, 1)})


def _fix_blocks(
    run: RunDirectory, search: Search, settings: Mapping[str, object], movie: Movie, spec: NetworkSpec
) -> tuple[dict[str, object], BlockShape]:
    """Return how the movie is cut, as the stage records it, and the shape of a block: as recorded, or chosen now."""
    params = search.params

    def choose() -> BlockShape:
        memory = search.memory
        if memory is None:
            return choose_block_shape(movie, spec, params, find_memory(params))
        smallest = project_smallest(movie, spec, params)
        return choose_block_shape(movie, spec, params, Memory(max(memory.host_bytes, smallest.host_bytes)))

    return recall_cutting(run, search.name, settings, {key: getattr(params, key) for key in BLOCK_SETTINGS}, choose)


def recall_cutting(
    run: RunDirectory,
    name: str,
    settings: Mapping[str, object],
    asked: Mapping[str, object],
    choose: Callable[[], BlockShape],
) -> tuple[dict[str, object], BlockShape]:
    """Return how a stage cuts the movie, as it records it, and the shape of a block: as recorded, or chosen now.

    What was recorded holds while nothing else has changed and nobody asks for other blocks of an unfinished stage.

    Parameters
    ----------
    run, name
        The run, and its stage.
    settings
        What the stage's results depend on.
    asked
        Settings that say how a movie is cut.
    choose
        Chooses the shape of a block.
    """
    known = run.store.find_stage(name)
    if known is not None:
        others = {key: value for key, value in known.settings.items() if key not in ("cutting", "blocks")}
        cutting = cast(dict[str, object], known.settings.get("cutting", {}))
        same = canonical_text(others) == canonical_text(settings) and "shape_tzyx" in cutting
        if same and (known.state == "done" or canonical_text(cutting["asked"]) == canonical_text(asked)):
            t, z, y, x = (int(length) for length in cast(list[int], cutting["shape_tzyx"]))
            return cutting, (t, z, y, x)
    shape = choose()
    return {"shape_tzyx": list(shape), "asked": dict(asked)}, shape


def find_memory(params: DetectParams) -> Memory:
    """Find what a worker may use on this machine, and on the card of this process if it has one."""
    return share_memory(params, core_bytes=measure_core_bytes(), card_bytes=measure_card_bytes())


def _tell_memory(name: str, blocks: Sequence[Block], movie: Movie, spec: NetworkSpec, params: DetectParams) -> None:
    """Log what a worker will take; warn where blocks recorded on a larger machine may not fit this one."""
    largest = max((count_seen(block, movie, spec) for block in blocks), default=0)
    have = find_memory(params)
    needed = project_memory(largest, spec, params, on_card=have.card_bytes is not None)
    _LOG.info(
        "%s: %d blocks, the largest sees %.3g megavoxels of a frame; about %.1f GiB per worker",
        name,
        len(blocks),
        largest / 1e6,
        needed.host_bytes / _GIB,
    )
    if needed.host_bytes > have.host_bytes:
        _LOG.warning(
            "%s: a worker may need %.1f GiB and is expected to use %.1f GiB; set detect.memory_gib to cut smaller "
            "blocks, which detects anew",
            name,
            needed.host_bytes / _GIB,
            have.host_bytes / _GIB,
        )


def _count_voxels(blocks: Sequence[Block]) -> int:
    return sum(prod(side.stop - side.start for side in block.write) for block in blocks)


def _measure_once(movie: Movie, spec: NetworkSpec, constants: Path) -> IntensityRange:
    """Measure the movie's intensities, or read what all earlier blocks used: a repaired chunk may not change them."""
    if not constants.exists():
        write_json(constants, asdict(measure_intensity(movie, spec.low_percentile, spec.high_percentile)))
    return IntensityRange(**json.loads(constants.read_text(encoding="utf-8")))
