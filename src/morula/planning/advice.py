"""What a person should know before starting: what takes longest, what does not fit, and which setting would help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from morula.planning.memory import fit_detections, project_graph_memory
from morula.planning.plan import Cluster, StagePlan
from morula.planning.work import Subject

_WASTEFUL = 2.0
_MOST_SHARE = 0.3
_GRAPH_STAGES = ("candidates", "tune", "solve", "confidence", "baseline")
_CONTEXT_FRAMES = 5
_MOST_PLACES = 10.0
"""Places kept for each nucleus: 1.1 on clear movies, 5.8 and 10 on two hard ones (`detect.threshold` is low)."""
_PLACE_BYTES = 450.0


def give_advice(
    subject: Subject, stages: Sequence[StagePlan], cluster: Cluster, memory_bytes: float
) -> tuple[str, ...]:
    """Return advice, one sentence or two each.

    Parameters
    ----------
    subject
        What is planned.
    stages, cluster
        The plan.
    memory_bytes
        Memory of the machine it starts from.
    """
    parts = (
        _name_longest(stages),
        _name_halo(subject, stages),
        _name_graph(subject, stages, memory_bytes),
        _name_doubt(subject, memory_bytes),
        _name_frames(stages, memory_bytes),
        _name_floor(stages, cluster),
    )
    return tuple(sentence for part in parts for sentence in part)


def _name_longest(stages: Sequence[StagePlan]) -> Iterator[str]:
    total = sum(stage.work_s for stage in stages)
    longest = max(stages, key=lambda stage: stage.work_s)
    if total > 0:
        yield f"{longest.stage} is {longest.work_s / total:.0%} of the work."


def _name_halo(subject: Subject, stages: Sequence[StagePlan]) -> Iterator[str]:
    written = prod(subject.movie.shape) / 1e6 * (4 if subject.config.detect.mirrored else 1)
    for stage in stages:
        if stage.stage == "detect" and stage.amount > _WASTEFUL * written:
            yield (
                f"detect looks at every voxel {stage.amount / written:.1f} times, for its blocks see far around them: "
                "larger ones (detect.memory_gib) take more memory and less time."
            )


def _name_graph(subject: Subject, stages: Sequence[StagePlan], memory_bytes: float) -> Iterator[str]:
    n, frames = subject.contents.detections, subject.movie.n_frames
    too_large = [s.stage for s in stages if s.stage in _GRAPH_STAGES and s.memory_bytes > memory_bytes]
    if not too_large:
        return
    whole = project_graph_memory(n)
    yield (
        f"{', '.join(too_large)}: the whole graph takes about {whole / 1e9:.0f} GB in one process, this machine has "
        f"{memory_bytes / 1e9:.0f} GB. Start the run on a machine that has more."
    )
    params = subject.config.solve
    longest = int(fit_detections(memory_bytes / 2) / n * frames) - 2 * _CONTEXT_FRAMES
    if params.block_frames is None and longest >= 1:
        yield (
            f"solve.block_frames = {longest} with solve.block_bound = false solves it in blocks of "
            f"{memory_bytes / 2e9:.0f} GB; candidates and confidence hold the whole graph all the same."
        )


def _name_doubt(subject: Subject, memory_bytes: float) -> Iterator[str]:
    places = _MOST_PLACES * subject.contents.detections
    memory = project_graph_memory(places)
    if subject.contents.counted or memory <= memory_bytes:
        return
    disk = _PLACE_BYTES * places
    yield (
        f"A network that is unsure keeps up to {_MOST_PLACES:.0f} times as many places as there are nuclei: linking "
        f"and solving would then take {memory / 1e9:.0f} GB, and the places {disk / 1e9:.0f} GB on the disk. "
        "A run on a part of the movie counts them (--run-dir)."
    )


def _name_frames(stages: Sequence[StagePlan], memory_bytes: float) -> Iterator[str]:
    for stage in stages:
        if stage.stage == "drift" and stage.memory_bytes > memory_bytes:
            yield (
                f"{stage.stage} needs about {stage.memory_bytes / 1e9:.0f} GB, for it looks at whole frames; this "
                f"machine has {memory_bytes / 1e9:.0f} GB."
            )


def _name_floor(stages: Sequence[StagePlan], cluster: Cluster) -> Iterator[str]:
    alone = [stage for stage in stages if not stage.blocks]
    if not alone or cluster.alone_s < _MOST_SHARE * cluster.within_s:
        return
    longest = max(alone, key=lambda stage: stage.work_s)
    yield (
        f"{cluster.alone_s / 3600:.1f} h are work of one process that more workers do not shorten, "
        f"{longest.work_s / 3600:.1f} h of them {longest.stage}."
    )
