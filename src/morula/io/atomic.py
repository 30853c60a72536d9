"""Files and folders that appear whole or not at all: written beside their place under another name, then renamed.

Owns the refusal to overwrite, and turns a full or read-only disk into `DiskError`. A folder is only ever replaced by
a folder; what it replaces must look like something morula wrote (the caller says how it can tell).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from morula.errors import DiskError, MorulaError


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
        old = temporary.with_name(temporary.name + ".old")
        path.rename(old)
        try:
            temporary.rename(path)
        except OSError:
            old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _temporary_sibling(path: Path, *, overwrite: bool) -> Iterator[Path]:
    if path.exists() and not overwrite:
        raise DiskError(f"{path} exists already.", fix="choose another name, or ask to overwrite it")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except MorulaError:
        raise
    except OSError as error:
        raise DiskError(
            f"{path} could not be written: {error.strerror or error}.",
            cause="the disk is full, or the folder may not be written to",
            fix="free some space or choose another place; what stood there before is unchanged",
        ) from error
    finally:
        _remove(temporary)


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
