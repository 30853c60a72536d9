"""The stages `blobs` and `baseline`: a movie tracked without learning, for the report to compare with.

Blobs are sought by an engine, block by block, each stored with its done mark. As in detection, how a movie is cut is no
part of the result: it is fixed and recorded when the stage begins. Linking the nearest takes one process.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from functools import partial
from math import prod
from pathlib import Path

from morula.candidates.link import link_candidates
from morula.config import RunConfig, plain_values
from morula.core.blocks import Block
from morula.core.lineages import Lineages
from morula.core.movie import Movie
from morula.core.progress import ProgressSink
from morula.detect.memory import PROGRAM_BYTES
from morula.detect.params import DetectParams
from morula.detect.plan import BlockShape
from morula.detecting import find_memory, recall_cutting
from morula.engine.engine import BlockJob, Engine
from morula.inputs import Inputs
from morula.io.tracks.files import write_tracks
from morula.measure.blobs import measure_blob_search
from morula.peaks.classical import (
    BlobSearch,
    FoundBlobs,
    choose_lengths_for_blobs,
    cut_for_blobs,
    find_block_blobs,
    project_blob_memory,
    rate_blobs,
)
from morula.solve.greedy import link_greedily
from morula.store.disk import write_json
from morula.store.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)
_BLOCK_SETTINGS = ("block_frames", "memory_gib")


def outline_search(config: RunConfig) -> BlobSearch:
    """Return what is sought as far as it is known without looking at the movie: scale and window."""
    return BlobSearch(
        sigma_um=config.train.blob_sigma_um, window_um=config.detect.window_um, threshold=0.0, filling=0.0
    )


def project_worker_memory(seen_vox: float) -> float:
    """Return the bytes of a worker that looks for blobs in so many voxels of a frame at once."""
    return PROGRAM_BYTES + project_blob_memory(seen_vox)


def shape_for_blobs(movie: Movie, search: BlobSearch, params: DetectParams) -> BlockShape:
    """Choose the blocks for blobs: so many frames as those of detection, and what fits the memory of a worker."""
    spare = find_memory(params).host_bytes - PROGRAM_BYTES
    return (params.block_frames, *choose_lengths_for_blobs(movie, search, spare))


def find_blobs(run: RunDirectory, inputs: Inputs, config: RunConfig, engine: Engine, progress: ProgressSink) -> None:
    """Find the image blobs of the whole movie.

    Raises
    ------
    BlocksFailedError
        If some blocks failed; the others are kept.
    """
    movie, constants, outline = inputs.movie, run.paths.model / "blobs.json", outline_search(config)
    look = {"sigma_um": outline.sigma_um, "window_um": outline.window_um}
    settings = {"blobs": look, "inputs": inputs.identify("movie")}
    asked = {key: getattr(config.detect, key) for key in _BLOCK_SETTINGS}
    choose = partial(shape_for_blobs, movie, outline, config.detect)
    cutting, shape = recall_cutting(run, "blobs", settings, asked, choose)
    blocks = cut_for_blobs(movie, outline, shape)
    with run.stage("blobs", {**settings, "cutting": cutting}, scratch=[constants], n_blocks=len(blocks)) as stage:
        if stage.done:
            return
        search = _measure_once(movie, outline, constants)
        pending = stage.pending_blocks(blocks)
        work = partial(find_block_blobs, movie=movie, search=search)
        job = BlockJob("blobs", pending, work, n_done_before=len(blocks) - len(pending))

        def write(block: Block, found: FoundBlobs, seconds: float) -> None:
            stage.write_block(block, found.detections, seconds, count=found.not_finite_vox)

        engine.run_blocks(job, on_done=write, on_failed=stage.write_failed_block, progress=progress)
        not_finite = sum(run.store.read_block_counts("blobs").values())
        if not_finite:
            _LOG.warning("blobs: %d voxels are not finite and count as background", not_finite)
        stage.finish({"amount": prod(movie.shape) / 1e6, "unit": "megavoxels"})


def _measure_once(movie: Movie, outline: BlobSearch, constants: Path) -> BlobSearch:
    """Measure threshold and background, or read what all earlier blocks used: a repaired chunk may not change them."""
    if not constants.exists():
        constants.parent.mkdir(exist_ok=True)
        write_json(
            constants, asdict(measure_blob_search(movie, sigma_um=outline.sigma_um, window_um=outline.window_um))
        )
    return BlobSearch(**json.loads(constants.read_text(encoding="utf-8")))


def link_blobs(run: RunDirectory, config: RunConfig) -> None:
    """Link the nearest blobs: what the report compares with."""
    params = config.candidates
    output = run.paths.exports / "baseline.csv"
    with run.stage("baseline", {"candidates": plain_values(params)}, after=["blobs"], outputs=[output]) as stage:
        if stage.done:
            return
        detections = rate_blobs(run.store.read_detections("blobs"))
        graph = link_candidates(detections, replace(params, allow_unlinkable=True, flow_neighbours=0))
        selection = link_greedily(graph, max_distance_um=params.max_distance_um)
        output.parent.mkdir(exist_ok=True)
        write_tracks(Lineages.from_selection(graph, selection).tracks, output, format="csv", overwrite=True)
        stage.finish({"amount": detections.n, "unit": "detections"})
