"""Whether a stage has to run: what is asked for now beside what the store remembers.

Owns the decision and its words, as one pure function. Touches neither the store nor a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from morula.store.fingerprint import describe_changes
from morula.store.records import StageRecord

_CHANGES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What to do with a stage.

    Parameters
    ----------
    done
        Its results are there and still right: nothing to do.
    resumed
        It was begun with the same settings and goes on; what it has so far counts.
    cleared
        Stages whose results have to go first: itself, where it runs again, and whatever stands on it.
    message
        The decision in words.
    """

    done: bool
    resumed: bool
    cleared: tuple[StageRecord, ...]
    message: str


def plan_stage(
    wanted: StageRecord, known: Mapping[str, StageRecord], *, missing: Sequence[str] = (), n_blocks_done: int = 0
) -> StagePlan:
    """Decide what to do with a stage.

    Parameters
    ----------
    wanted
        The stage as asked for now.
    known
        What the store remembers, by name.
    missing
        Result files of the stage that are not there.
    n_blocks_done
        Number of its blocks that are done.
    """
    name = wanted.name
    old = known.get(name)
    if old is None:
        return StagePlan(done=False, resumed=False, cleared=(), message=f"{name} begins")
    if old.fingerprint != wanted.fingerprint:
        return _plan_again(old, known, _describe_difference(old, wanted))
    if old.state == "done" and missing:
        verb = "is" if len(missing) == 1 else "are"
        return _plan_again(old, known, f"{' and '.join(missing)} {verb} missing")
    if old.state == "done":
        return StagePlan(done=True, resumed=False, cleared=(), message=f"{name} is done, nothing has changed")
    message = f"{name} goes on where it stopped"
    if wanted.n_blocks:
        message += f": {n_blocks_done} of {wanted.n_blocks} blocks are done"
    return StagePlan(done=False, resumed=True, cleared=(), message=message)


def _plan_again(old: StageRecord, known: Mapping[str, StageRecord], reason: str) -> StagePlan:
    dependents = _find_dependents(old.name, known)
    message = f"{old.name} runs again: {reason}"
    if dependents:
        message += f" (and what stands on it: {', '.join(record.name for record in dependents)})"
    return StagePlan(done=False, resumed=False, cleared=(old, *dependents), message=message)


def _find_dependents(name: str, known: Mapping[str, StageRecord]) -> list[StageRecord]:
    """Return all stages that use the results of this one, directly or through others, in the order they were begun."""
    found = {name}
    dependents = []
    for record in sorted(known.values(), key=lambda record: record.id):  # a stage begins after those it stands on
        if found & record.after.keys():
            found.add(record.name)
            dependents.append(record)
    return dependents


def _describe_difference(old: StageRecord, wanted: StageRecord) -> str:
    changes = describe_changes(old.settings, wanted.settings)
    changes += [f"{name} has changed" for name, value in wanted.after.items() if old.after.get(name) != value]
    if not changes:
        return "this version of morula computes it differently"
    more = len(changes) - _CHANGES_SHOWN
    return ", ".join(changes[:_CHANGES_SHOWN]) + (f" and {more} more" if more > 0 else "")
