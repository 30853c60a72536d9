"""A plan for people."""

from __future__ import annotations

from morula.engine.pace import describe_amount, describe_seconds
from morula.planning.plan import Cluster, Plan, StagePlan

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def describe_bytes(amount: float) -> str:
    """Return a number of bytes in the unit people would use.

    Examples
    --------
    >>> [describe_bytes(amount) for amount in (0, 1.5e6, 4.66e12)]
    ['0 B', '1.5 MB', '4.66 TB']
    """
    step = 0
    while amount >= 999.5 and step < len(_UNITS) - 1:
        amount, step = amount / 1000, step + 1
    return f"{amount:.3g} {_UNITS[step]}"


def describe_plan(plan: Plan) -> str:
    """Return the plan as a table with the sentences that belong to it."""
    t, z, y, x = plan.shape
    size = " × ".join(f"{v:g}" for v in plan.voxel_size_um)
    lines = [
        f"{plan.movie}: {t} frames of {z}×{y}×{x} voxels of {size} µm, {describe_bytes(plan.movie_bytes)} uncompressed",
        f"detections: {describe_amount(plan.detections)} ({plan.detections_source})",
        "",
        _row("stage", "amount", "blocks", "memory", "reads", "work", f"{_count_workers(plan.workers)}"),
        *(describe_stage(stage) for stage in plan.stages),
        _row("together", "", "", "", "", describe_seconds(plan.work_s), describe_seconds(plan.wall_s)),
        "",
        f"disk: about {describe_bytes(plan.disk_bytes)} in the run directory and its database",
        _describe_cluster(plan.cluster),
        *plan.advice,
        f"rates: {_describe_sources(plan.stages)}",
    ]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    widths = (11, 23, 8, 9, 9, 14, 14)
    first, *others = (
        cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
    )
    return (first + "".join(others)).rstrip()


def describe_stage(stage: StagePlan) -> str:
    """Return the row of a stage in the table."""
    return _row(
        stage.stage,
        f"{describe_amount(stage.amount)} {stage.unit}",
        str(stage.blocks or ""),
        describe_bytes(stage.memory_bytes),
        describe_bytes(stage.read_bytes) if stage.read_bytes else "",
        describe_seconds(stage.work_s),
        describe_seconds(stage.wall_s),
    )


def _count_workers(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


def _describe_cluster(cluster: Cluster) -> str:
    within = describe_seconds(cluster.within_s)
    if cluster.workers is None:
        alone = describe_seconds(cluster.alone_s)
        return f"in {within}: with no number of workers; what one process does alone takes {alone}"
    if cluster.workers == 1:
        return f"in {within}: one worker is enough"
    memory, reading = describe_bytes(cluster.memory_bytes), describe_bytes(cluster.read_bytes_per_s)
    return (
        f"in {within}: {cluster.workers} workers of {memory} each, and storage that delivers {reading}/s to all of "
        f"them; takes {describe_seconds(cluster.wall_s)}"
    )


def _describe_sources(stages: tuple[StagePlan, ...]) -> str:
    by_source: dict[str, list[str]] = {}
    for stage in stages:
        by_source.setdefault(stage.source, []).append(stage.stage)
    return "; ".join(f"{source}: {', '.join(names)}" for source, names in by_source.items())
