"""Files and folders that appear whole or not at all: written beside their place under another name, then renamed.

Owns the refusal to overwrite, and turns a full or read-only disk into `DiskError`. A folder is only ever replaced by
a folder; what it replaces must look like something morula wrote (the caller says how it can tell). What a killed
process left half-written is removed when the same thing is written again.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from morula.errors import DiskError, MorulaError

_HOST = socket.gethostname()
_OLD = ".old"
_QUIET_S = 0.3  # nothing came back for so long: it is gone
_LATE_S = 10.0


@contextmanager
def replace_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary file beside `path`; rename it to `path` when the block ends well, delete it when not.

    Raises
    ------
    DiskError
        If `path` exists and `overwrite` is false, is a folder, or the disk refuses.
    """
    if path.is_dir():
        raise DiskError(f"{path} is a folder, a file was to be written.", fix="choose another name")
    with _temporary_sibling(path, overwrite=overwrite) as temporary:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())  # else a power cut may leave the new name with no content
        temporary.replace(path)


@contextmanager
def replace_folder(path: Path, *, overwrite: bool, is_replaceable: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a temporary, not yet existing folder beside `path`; rename it to `path` when the block ends well.

    Parameters
    ----------
    path
        Folder to write.
    overwrite
        Replace a folder that exists.
    is_replaceable
        Says whether an existing folder is of the kind that is written; others are never deleted.

    Raises
    ------
    DiskError
        If `path` exists and `overwrite` is false or it is not of this kind, or the disk refuses.
    """
    if overwrite and path.exists() and not (path.is_dir() and is_replaceable(path)):
        raise DiskError(
            f"{path} exists and is something else than what would replace it; it was left alone.",
            fix="choose another name, or remove it by hand",
        )
    with _temporary_sibling(path, overwrite=overwrite) as temporary:
        yield temporary
        if not path.exists():
            temporary.rename(path)
            return
        exchange_folders(temporary, path)


def exchange_folders(new: Path, path: Path) -> None:
    """Put a finished folder from `name_temporary` in the place of one that is there, which is deleted last."""
    old = new.with_name(new.name + _OLD)
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def name_temporary(path: Path, ending: str = ".tmp") -> Path:
    """Return a hidden name beside `path` that no other process uses, after clearing what killed ones left there.

    A folder that was moved aside by a process killed before the new one stood in its place is put back.
    """
    name = re.compile(rf"\.{re.escape(path.name)}\.(.+)-(\d+){re.escape(ending)}(?:{re.escape(_OLD)})?")
    for other in list(path.parent.iterdir()) if path.parent.is_dir() else []:
        match = name.fullmatch(other.name)
        if match is None or match[1] != _HOST or _is_alive(int(match[2])):
            continue
        if other.name.endswith(_OLD) and not path.exists():
            other.rename(path)
        else:
            _remove(other)
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}{ending}")


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # this process is not writing it yet
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


@contextmanager
def _temporary_sibling(path: Path, *, overwrite: bool) -> Iterator[Path]:
    try:
        temporary = name_temporary(path)
        if path.exists() and not overwrite:
            raise DiskError(f"{path} exists already.", fix="choose another name, or ask to overwrite it")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
        except BaseException:
            remove_until_gone(temporary)
            raise
    except MorulaError:
        raise
    except OSError as error:
        raise DiskError(
            f"{path} could not be written: {error.strerror or error}.",
            cause="the disk is full, or the folder may not be written to",
            fix="free some space or choose another place; what stood there before is unchanged",
        ) from error


def remove_until_gone(temporary: Path) -> None:
    """Remove what was half written, again while it comes back.

    zarr writes the chunks of an array side by side in threads of its own. When one of them meets a full disk the call
    fails at once, and those that were under way still make their files, and the folder around them, after that.
    """
    deadline = time.monotonic() + _LATE_S
    quiet_since = time.monotonic()
    _remove(temporary)
    while time.monotonic() < min(deadline, quiet_since + _QUIET_S):
        time.sleep(_QUIET_S / 10)
        if temporary.exists():
            _remove(temporary)
            quiet_since = time.monotonic()


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
