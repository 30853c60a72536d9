"""One writer per run directory: a lock that dies with its process and says who holds it.

Owns ``run.lock``. Refuses a second writer; readers (`morula status`, `morula export`) need no lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from morula.errors import StoreLockedError
from morula.store.disk import explained_disk_errors

_PATIENCE_S = 0.5
_RETRY_S = 0.02


class RunLock:
    """An exclusive lock on a file, held until released or until the process ends, however it ends.

    Parameters
    ----------
    path
        The lock file; it stays behind, only the lock on it counts.

    Raises
    ------
    StoreLockedError
        If another process (or another part of this one) holds it; the message names the holder.
    DiskError
        If the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        with explained_disk_errors(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with explained_disk_errors(path):  # some network folders know no locks
                self._acquire(path)
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, name_holder().encode(), 0)
        except BaseException:
            self.release()
            raise

    def _acquire(self, path: Path) -> None:
        # A reader asking "is somebody running?" holds a shared lock for microseconds: try for a moment.
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise describe_locked(str(path.parent), path.read_text(errors="replace")) from None
                time.sleep(_RETRY_S)
            else:
                return

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_locked(path: Path) -> bool:
    """Say whether a living process holds the lock file, without keeping anybody from it."""
    if not path.exists():
        return False
    with explained_disk_errors(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


def name_holder() -> str:
    """Return a line that tells others which process holds a lock; each is another."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "started": started, "token": uuid4().hex}
    return json.dumps(holder) + "\n"


def describe_locked(place: str, holder: str) -> StoreLockedError:
    """Return the error of a run that somebody else works on; `holder` is what that one's `name_holder` gave."""
    try:
        named = json.loads(holder)
        measured = f"process {named['pid']} on {named['host']}, since {named['started']}"
    except (ValueError, KeyError, TypeError):
        measured = "the other program has not written its name yet"
    return StoreLockedError(
        f"{place}: another morula is working in this run directory.",
        measured=measured,
        cause="the same run was started twice, or a stopped one is still finishing",
        fix="wait for it or end it (`morula status` shows how far it is), or give another --run-dir",
    )
