"""When to stop training early, and which weights to keep. Off unless `train.patience` asks for it."""

from __future__ import annotations

from math import isfinite

from morula.train.checkpoint import BestWeights, TrainingState
from morula.train.params import TrainParams
from morula.train.validate import ValidationResult


def score_validation(result: ValidationResult, params: TrainParams) -> float:
    """Score a validation, higher is better: nuclei found, less the error of the movement vectors.

    The share of held-out nuclei that are found, minus the median error of their vectors in mask radii: an error of a
    tenth of the radius within which a nucleus counts weighs as much as a tenth of the nuclei. Without held-out links
    the share alone.

    Examples
    --------
    >>> round(score_validation(ValidationResult(0.9, 0.7, 2.0), TrainParams(mask_radius_um=3.5)), 3)
    0.7
    """
    error = result.movement_um / params.mask_radius_um
    return result.recall - (error if isfinite(error) else 0.0)


def note_validation(state: TrainingState, result: ValidationResult, params: TrainParams) -> bool:
    """Keep the averaged weights if they are the best so far; true if it is time to stop.

    Time to stop is when `params.patience` validations in a row were not better than the best; never if it is 0, nor
    where nothing could be scored.
    """
    score = score_validation(result, params)
    if params.patience == 0 or not isfinite(score):
        return False
    if score > state.best.score:
        weights = {name: value.clone() for name, value in state.average.state_dict().items()}
        state.best = BestWeights(score, state.iteration, 0, weights)
        return False
    state.best.waited += 1
    return state.best.waited >= params.patience


def restore_best(state: TrainingState) -> None:
    """Put the best weights into the average, which is what comes out; the last entry of the log is then theirs."""
    best, columns = state.best, state.log.columns
    if not best.weights or best.iteration == state.iteration:
        return
    state.average.load_state_dict(best.weights)
    looked_at = columns.get("val_iteration", [])
    if best.iteration in looked_at:
        row = looked_at.index(best.iteration)
        names = [name for name in columns if name.startswith("val_") and name != "val_iteration"]
        state.log.add(val_iteration=state.iteration, **{name: columns[name][row] for name in names})
