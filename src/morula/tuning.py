"""The stage `tune`: weights learned in one go, or a grid whose points are run by an engine, one by one.

A point of the grid is a block to the engine: it is solved and counted alone, its errors are stored with its done mark,
and a run that was killed counts only what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from morula.config import RunConfig, plain_values
from morula.core.blocks import Block
from morula.core.progress import ProgressSink
from morula.engine.engine import BlockJob, Engine
from morula.inputs import Inputs
from morula.solve.params import SolveParams
from morula.store.run_directory import RunDirectory
from morula.store.stage import Stage
from morula.tune.choose import tune_by_learning
from morula.tune.grid import GridWork, count_point, list_candidates, pick_weights, plan_points
from morula.tune.weights import TunedWeights, keep_given, read_weights


def tune(run: RunDirectory, inputs: Inputs, config: RunConfig, engine: Engine, progress: ProgressSink) -> None:
    """Choose the cost weights on the validation annotations, or what is left of it.

    Raises
    ------
    BlocksFailedError
        If points of the grid could not be solved; those counted are kept.
    """
    settings = {
        "tune": plain_values(config.tune),
        "solve": plain_values(config.solve),
        "evaluate": plain_values(config.evaluate),
        "inputs": inputs.identify("val"),
    }
    kept = keep_given(config.solve, config.tune, inputs.val)
    searches = kept is None and config.tune.method == "grid"
    candidates = list_candidates(config.tune, config.solve) if searches else []
    with run.stage("tune", settings, after=["candidates"], n_blocks=len(candidates)) as stage:
        if stage.done:
            return
        if kept is not None:
            _finish(stage, kept)
            return
        if searches:
            _finish(stage, _search(run, stage, _pose(run, inputs, config, candidates), engine, progress))
            return
        tuned = tune_by_learning(
            run.store.read_graph(),
            inputs.val,
            config.tune,
            config.solve,
            replace(config.evaluate, dense=False),
            extent_um=inputs.movie.extent_um,
            progress=progress,
        )
        _finish(stage, tuned)


def _pose(run: RunDirectory, inputs: Inputs, config: RunConfig, candidates: Sequence[SolveParams]) -> GridWork:
    evaluate = replace(config.evaluate, dense=False)
    return GridWork(run.store.read_graph(), inputs.val, candidates, evaluate, inputs.movie.extent_um)


def _search(run: RunDirectory, stage: Stage, work: GridWork, engine: Engine, progress: ProgressSink) -> TunedWeights:
    points = plan_points(work.candidates)
    pending = stage.pending_blocks(points)
    job = BlockJob(
        stage.name,
        pending,
        partial(count_point, work=work),
        n_done_before=len(points) - len(pending),
        weigh=_weigh_point,
        unit="weights",
    )
    summary = engine.run_blocks(
        job, on_done=stage.write_block_count, on_failed=stage.write_failed_block, progress=progress
    )
    if summary.failures:
        stage.finish()  # says which, and raises
    return pick_weights(work.candidates, run.store.read_block_counts(stage.name), len(work.annotations.edges))


def _weigh_point(_: Block) -> float:
    return 1.0


def _finish(stage: Stage, tuned: TunedWeights) -> None:
    tried = [{**values, "errors": errors} for values, errors in tuned.tried]
    stage.finish(
        {
            "amount": len(tried),
            "unit": "weights",
            "weights": read_weights(tuned.params),
            "why": tuned.reason,
            "tried": tried,
        }
    )
