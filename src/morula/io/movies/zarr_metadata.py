"""The metadata files of a zarr hierarchy, in a folder or on a web server. Owns reading them within a bound.

Refused are files that are no JSON objects, files larger than 64 MiB, and servers that do not answer.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

from morula.errors import MovieError

Json = dict[str, Any]

_MAX_METADATA_BYTES = 64 * 2**20
_HTTP_TIMEOUT_S = 30
_URL = re.compile(r"^https?://", re.IGNORECASE)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a path is an http or https address."""
    return bool(_URL.match(os.fspath(path)))


def join_place(place: str, inner: str) -> str:
    """Join a folder or URL and a path inside it."""
    return f"{place.rstrip('/')}/{inner}" if inner else place


def read_metadata(place: str, file_name: str) -> Json | None:
    """Read one metadata file of a zarr hierarchy; None if it is not there.

    Parameters
    ----------
    place
        Folder or URL of the node.
    file_name
        ``zarr.json``, ``.zattrs``, ``.zgroup`` or ``.zarray``.

    Raises
    ------
    MovieError
        If it cannot be read, is larger than 64 MiB or is no JSON object.
    """
    where = join_place(place, file_name)
    try:
        raw = _read_bounded(where)
        content = None if raw is None else json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise MovieError(
            f"{where}: the metadata cannot be read.",
            measured=f"{type(error).__name__}: {error}"[:200],
            cause="a damaged or half-written file, or a web page in its place",
            fix="export or copy the movie again",
        ) from error
    except (OSError, HTTPException) as error:
        raise MovieError(
            f"{where}: the metadata cannot be read.",
            measured=f"{type(error).__name__}: {error}"[:200],
            cause="no permission to read, or a server that does not answer",
            fix="check the path or address, and that you may read it",
        ) from error
    if content is not None and not isinstance(content, dict):
        raise MovieError(
            f"{where}: the metadata are a JSON {type(content).__name__}, not an object.",
            cause="a damaged file",
            fix="export or copy the movie again",
        )
    return content


def _read_bounded(where: str) -> bytes | None:
    try:
        if is_url(where):
            with urllib.request.urlopen(where, timeout=_HTTP_TIMEOUT_S) as answer:
                raw = cast(bytes, answer.read(_MAX_METADATA_BYTES + 1))
        else:
            with Path(where).open("rb") as file:
                raw = file.read(_MAX_METADATA_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 410):
                return None
        raise
    if len(raw) > _MAX_METADATA_BYTES:
        raise ValueError(f"more than {_MAX_METADATA_BYTES} bytes")
    return raw
