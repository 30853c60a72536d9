"""What tifffile only logs about a damaged file. Owns telling loss of planes from harmless oddities.

tifffile goes on with the planes it still finds; a movie that silently became shorter would be worse than none.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import tifffile

from morula.errors import MovieError


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
