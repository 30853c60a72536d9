"""Files written whole or not at all, and disk trouble in words.

Owns the atomic write (a temporary neighbour, fsync, rename: a kill or a full disk leaves the old file or the new one)
and the translation of operating-system errors into DiskError. Knows nothing of what the files mean.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from morula.errors import DiskError, MorulaError
from morula.store.json_form import to_json_value

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_MEGABYTE = 1e6


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step; whoever reads it sees the old content or all of the new. Equal content is left alone.

    Raises
    ------
    DiskError
        If the disk is full or the folder cannot be written to.
    """
    part = path.with_name(f".{path.name}.part")
    with explained_disk_errors(path, needed_bytes=len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_bytes() == content:
            return
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file in one step; raises as `write_bytes`."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file in one step, keys in the order given, numbers that are not finite as null."""
    write_text(path, json.dumps(to_json_value(content), indent=2, ensure_ascii=False) + "\n")


def remove_path(path: Path) -> None:
    """Remove a file or a folder with all it holds; nothing happens if there is none.

    Raises
    ------
    DiskError
        If it cannot be removed.
    """
    with explained_disk_errors(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def free_bytes(path: Path) -> int:
    """Return the free space of the disk that `path` is on, or would be on."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut (the folder's own entry has to reach the disk)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained_disk_errors(path: Path, *, needed_bytes: int | None = None) -> Iterator[None]:
    """Turn an operating-system error on `path` into a DiskError that says what there is and what is needed.

    Raises
    ------
    DiskError
        In place of any OSError that is not already one of ours.
    """
    try:
        yield
    except MorulaError:
        raise
    except OSError as error:
        raise _describe_disk_error(path, error, needed_bytes) from error


def _describe_disk_error(path: Path, error: OSError, needed_bytes: int | None) -> DiskError:
    if error.errno in _FULL:
        return describe_full_disk(path, needed_bytes=needed_bytes)
    if error.errno in _FORBIDDEN:
        return describe_forbidden(path)
    return describe_broken_disk(path, str(error.strerror or error))


def describe_full_disk(path: Path, *, needed_bytes: int | None = None) -> DiskError:
    """Return the DiskError of a disk without room for `path`."""
    needed = "" if needed_bytes is None else f", {needed_bytes / _MEGABYTE:.1f} MB needed for this write"
    return DiskError(
        f"{path}: the disk is full, or a quota is reached.",
        measured=f"{free_bytes(path) / _MEGABYTE:.1f} MB free{needed}",
        cause="the run directory grew to what its disk, its quota or a file-size limit allows",
        fix="free some space, or move the run directory to a larger disk; run again: what is finished is kept",
    )


def describe_forbidden(path: Path) -> DiskError:
    """Return the DiskError of a place that does not let us write."""
    return DiskError(
        f"{path}: this place cannot be written to.",
        cause="a folder of another user, or a disk mounted read-only",
        fix="give --run-dir a folder you may write to, or change its permissions",
    )


def describe_broken_disk(path: Path, reason: str) -> DiskError:
    """Return the DiskError of a place that fails for another reason."""
    return DiskError(
        f"{path}: {reason}.",
        cause="a disk or network folder that is gone, or a file where a folder should be",
        fix="look at this path, then run again: what is finished is kept",
    )
