"""The run directory: the one process that may write there, and how a stage begins in it.

Owns the lock and the clearing of what changed settings made worthless. Knows no stage by name.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from morula.store.disk import remove_path
from morula.store.fingerprint import fingerprint
from morula.store.lock import RunLock
from morula.store.mounts import find_shared_disk
from morula.store.paths import RunPaths
from morula.store.places import choose_place, find_place, record_place
from morula.store.plan import plan_stage
from morula.store.reader import StoreReader
from morula.store.records import StageRecord
from morula.store.stage import Stage
from morula.store.store import Store

logger = logging.getLogger(__name__)


class RunDirectory:
    """An open run directory, locked against other writers; use it in a ``with`` block.

    Parameters
    ----------
    paths
        Where its files lie.
    lock
        The lock held on it.
    store
        Its open store.

    Examples
    --------
    ::

        with RunDirectory.open(path) as run:
            with run.stage("detect", {"detect": asdict(params), "movie": name}, n_blocks=len(blocks)) as stage:
                if not stage.done:
                    pending = stage.pending_blocks(blocks)
                    job = BlockJob("detect", pending, work, n_done_before=len(blocks) - len(pending))
                    engine.run_blocks(job, on_done=stage.write_block, on_failed=stage.write_failed_block)
            with run.stage("candidates", {"candidates": asdict(params)}, after=["detect"]) as stage:
                if not stage.done:
                    stage.write_graph(link_candidates(run.store.read_detections(), params))
    """

    def __init__(self, paths: RunPaths, lock: RunLock, store: Store) -> None:
        self.paths, self.store = paths, store
        self._lock = lock

    @classmethod
    def open(cls, path: Path | str, *, store: str | None = None, busy_timeout_s: float = 30.0) -> Self:
        """Open a run directory for work, creating it if there is none.

        Parameters
        ----------
        path
            The run directory.
        store
            Address of the database for its tables; by default where they are, and a file in the directory of a new run.
        busy_timeout_s
            How long other writers of the store are waited for.

        Raises
        ------
        StoreLockedError
            If another process works in it, or another program keeps its store locked.
        StoreError, StoreVersionError
            If its store is elsewhere, damaged, something else, or of another version, or cannot be reached.
        DiskError
            If it cannot be created or written to.
        """
        paths = RunPaths(Path(path))
        paths.make_folder()
        lock = RunLock(paths.lock)
        try:
            return cls(paths, lock, _open_store(paths, store, busy_timeout_s))
        except BaseException:
            lock.release()
            raise

    def stage(
        self,
        name: str,
        settings: Mapping[str, object],
        *,
        after: Sequence[str] = (),
        outputs: Sequence[Path] = (),
        scratch: Sequence[Path] = (),
        n_blocks: int = 0,
        check: Callable[[], object] | None = None,
    ) -> Stage:
        """Begin a stage, or find that it is done.

        If its settings, the stages before or its number of blocks have changed since it last ran, or an output is
        missing, its results and those of all stages that stand on it are cleared first, files included.

        Parameters
        ----------
        name
            Name of the stage.
        settings
            Everything its results depend on beside the stages before: ``{"detect": {...}, "movie": "..."}``.
        after
            Stages whose results it uses; they have to be done.
        outputs
            Files and folders in the run directory that are there when it is done.
        scratch
            Files and folders it may leave on the way (checkpoints): kept while it goes on, removed before it runs anew.
        n_blocks
            Number of its blocks in all, 0 if it has none.
        check
            Called if the stage has to run, before anything is cleared: what it raises leaves all results as they are.

        Raises
        ------
        StoreError
            If a stage before is not done, or an output lies outside the run directory.
        DiskError, StoreLockedError
            If the store or a file cannot be changed.
        """
        needs = {before: self.store.require_stage(before).fingerprint for before in after}
        expected = tuple(map(self.paths.relative_name, outputs))
        everything = {**settings, **({"blocks": n_blocks} if n_blocks else {})}
        wanted = StageRecord(
            id=0,
            name=name,
            fingerprint=fingerprint({"settings": everything, "after": needs}),
            settings=everything,
            after=needs,
            files=(*expected, *map(self.paths.relative_name, scratch)),
            n_blocks=n_blocks,
            state="running",
            started=time.time(),
        )
        return self._begin(wanted, expected, check)

    def _begin(self, wanted: StageRecord, expected: Sequence[str], check: Callable[[], object] | None) -> Stage:
        plan = plan_stage(
            wanted,
            {record.name: record for record in self.store.read_stages()},
            missing=[file for file in expected if not (self.paths.path / file).exists()],
            n_blocks_done=len(self.store.read_done_blocks(wanted.name)),
        )
        logger.info(plan.message)
        if not plan.done:
            if check is not None:
                check()
            if not plan.resumed:
                # Files go first: killed in between, the store still tells of the old settings, and so they go again.
                for file in {file for record in (wanted, *plan.cleared) for file in record.files}:
                    remove_path(self.paths.path / file)
            self.store.begin_stage(wanted, cleared=plan.cleared)
        return Stage(self.store, wanted, plan)

    def close(self) -> None:
        """Close the store and let go of the lock; a second call does nothing."""
        self.store.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_store(paths: RunPaths, url: str | None, busy_timeout_s: float) -> Store:
    begun, place = find_place(paths), choose_place(paths, url)
    if isinstance(place, Path) and (disk := find_shared_disk(paths.path)) is not None:
        logger.warning(
            "%s is on a disk that machines share (%s), where SQLite's locks do not hold: work on it from one machine "
            "only, or put the run directory on a local disk, or give a database with --store postgresql://…",
            paths.path,
            disk,
        )
    store = Store.open(place, busy_timeout_s=busy_timeout_s, create=begun is None)
    try:
        store.claim()
        record_place(paths, place)
    except BaseException:
        store.close()
        raise
    return store


@dataclass(frozen=True, slots=True)
class RunView:
    """A run directory opened for reading only.

    Parameters
    ----------
    paths
        Where its files lie.
    store
        Its store, as last committed.
    """

    paths: RunPaths
    store: StoreReader


@contextmanager
def view_run(path: Path | str, *, store: str | None = None) -> Iterator[RunView]:
    """Open a run directory for reading, without a lock, also while it is being worked in.

    Parameters
    ----------
    path
        The run directory, which knows where its tables are.
    store
        The same address once more, where only this one has the password.

    Raises
    ------
    StoreError, StoreVersionError
        If there is no run here, or not one of this version, or its database cannot be reached.
    """
    paths = RunPaths(Path(path))
    place = paths.store if find_place(paths) is None else choose_place(paths, store)
    with StoreReader.open(place) as reader:
        yield RunView(paths, reader)
