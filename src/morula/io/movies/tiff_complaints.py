"""Damage of a TIFF file that tifffile only logs, or would not survive. Owns telling it from harmless oddities.

tifffile goes on with the planes it still finds; a movie that silently became shorter would be worse than none. A chain
of directories that leads back to itself it follows for ever, so the chain is walked here first.
"""

from __future__ import annotations

import logging
import struct
import threading
from pathlib import Path

import tifffile

from morula.errors import MovieError

_LARGEST_DIRECTORY = 4096
_CLASSIC, _BIG = ("H", 2, 12, "I", 4, 4), ("Q", 8, 20, "Q", 8, 8)


def check_directories(path: Path) -> None:
    """Walk the chain of page directories of a TIFF file.

    Raises
    ------
    MovieError
        If it leads back to an earlier directory. A chain that breaks off is left to tifffile, which logs it.

    Notes
    -----
    Cost: one small read per page.
    """
    seen: set[int] = set()
    with path.open("rb") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = head[2:4] in (b"+\0", b"\0+")
        count_format, count_size, entry_size, offset_format, offset_size, first = _BIG if big else _CLASSIC
        pointer = head[first : first + offset_size]
        while len(pointer) == offset_size:
            offset = struct.unpack(order + offset_format, pointer)[0]
            if offset in seen:
                raise MovieError(
                    f"{path}: the directory of the TIFF file leads in a circle.",
                    measured=f"page {len(seen)} points back to the directory at byte {offset}",
                    cause="a damaged file",
                    fix="copy the file again from the original",
                )
            seen.add(offset)
            if offset == 0 or offset > 2**62:
                return
            file.seek(offset)
            raw = file.read(count_size)
            n_entries = (
                struct.unpack(order + count_format, raw)[0] if len(raw) == count_size else _LARGEST_DIRECTORY + 1
            )
            if n_entries > _LARGEST_DIRECTORY:
                return
            pointer = file.read(n_entries * entry_size + offset_size)[n_entries * entry_size :]


class TiffComplaints(logging.Handler):
    """Messages of tifffile from this thread, kept while it opens one file.

    Examples
    --------
    >>> with TiffComplaints() as complaints:
    ...     tifffile.logger().warning("a rare tag")
    >>> complaints.messages
    ['a rare tag']
    """

    _DAMAGE = (
        "invalid page offset",
        "invalid offset to page",
        "circular reference",
        "corrupted tag list",
        "corrupted file",
        "series is missing",
        "OME series failed to read",
        "Missing data are zeroed",
    )

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.messages: list[str] = []

    def __enter__(self) -> TiffComplaints:
        tifffile.logger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        tifffile.logger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message of this thread."""
        if record.thread == self._thread:
            self.messages.append(record.getMessage())

    def raise_damage(self, path: Path) -> None:
        """Raise if one of the messages means that planes were lost."""
        damage = next((text for text in self.messages if any(word in text for word in self._DAMAGE)), None)
        if damage is not None:
            raise MovieError(
                f"{path}: planes of the TIFF file are missing or its directory is damaged.",
                measured=damage[:300],
                cause="a copy or an export that stopped half-way",
                fix="copy the file again from the original",
            )
