"""One zarr array, read lazily through tensorstore. Owns opening it, here or in another process, and its errors.

Chunks that are not there mean the fill value; chunks that cannot be read or decoded raise a `ChunkError` naming the
file. Refused are chunks so large that reading one voxel would fill the memory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from morula.core.blocks import Box
from morula.errors import ChunkError, MovieError, MovieNotFoundError
from morula.io.movies.axes import clip_box
from morula.io.movies.zarr_metadata import is_url

_MAX_CHUNK_BYTES = 2**31
_TENSORSTORE_ERRORS = (ValueError, IndexError, TypeError, NotImplementedError, RuntimeError, OSError)
_CONTEXT = {"http_request_retries": {"max_retries": 5, "initial_delay": "200ms", "max_delay": "5s"}}


class ZarrArray:
    """A lazy zarr array, version 2 or 3, sharded or not, local or on a web server.

    Opened when first used, also after it was sent to another process.

    Parameters
    ----------
    place
        Folder or URL of the array.
    zarr_format
        2 or 3.

    Raises
    ------
    MovieError
        If the array's metadata are not understood or a chunk is larger than 2 GiB; raised by `open` or the first use.
    """

    def __init__(self, place: str, zarr_format: int) -> None:
        self.place, self.zarr_format = place, zarr_format
        self._store: ts.TensorStore | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return ZarrArray, (self.place, self.zarr_format)

    def open(self) -> ZarrArray:
        """Open now, to find out about errors."""
        _ = self.store
        return self

    @property
    def store(self) -> ts.TensorStore:
        """The opened tensorstore."""
        if self._store is None:
            self._store = _open_store(self.place, self.zarr_format)
        return self._store

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, in the order of the file."""
        return tuple(int(size) for size in self.store.shape)

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Shape of the pieces that are decoded as a whole, in the order of the file; an axis that is not cut, whole."""
        cut = self.store.chunk_layout.read_chunk.shape or (0,) * len(self.shape)
        return tuple(int(size or whole) for size, whole in zip(cut, self.shape, strict=True))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel, in this machine's byte order."""
        return np.dtype(self.store.dtype.numpy_dtype)

    def __getitem__(self, box: Box, /) -> npt.NDArray[Any]:
        box = clip_box(box, self.shape)
        try:
            pixels = self.store[box].read().result()
        except _TENSORSTORE_ERRORS as error:
            raise ChunkError(
                f"{self.place}: voxels [{', '.join(f'{s.start}:{s.stop}' for s in box)}] cannot be read.",
                measured=_shorten(error),
                cause="a damaged or half-copied chunk, a failing disk, or a server that does not answer",
                fix="copy this file again from the original; finished blocks are kept",
            ) from error
        return np.asarray(pixels)


def _open_store(place: str, zarr_format: int) -> ts.TensorStore:
    kvstore = {"driver": "http", "base_url": place} if is_url(place) else {"driver": "file", "path": place}
    spec = {"driver": "zarr3" if zarr_format == 3 else "zarr", "kvstore": kvstore}
    try:
        store = ts.open(spec, read=True, open=True, context=ts.Context(_CONTEXT)).result()
        chunk = tuple(size or 0 for size in store.chunk_layout.read_chunk.shape or ())
        chunk_bytes = math.prod(chunk) * np.dtype(store.dtype.numpy_dtype).itemsize
    except _TENSORSTORE_ERRORS as error:
        message = _shorten(error)
        missing = message.startswith("NOT_FOUND")
        kind = MovieNotFoundError if missing else MovieError
        raise kind(
            f"{place}: {'there is no zarr array' if missing else 'the zarr array cannot be opened'}.",
            measured=message,
            cause="the metadata name an array that was not copied"
            if missing
            else "damaged metadata, or a compression or data type that morula does not know",
            fix="check the path, or export the movie again",
        ) from error
    if chunk_bytes > _MAX_CHUNK_BYTES:
        raise MovieError(
            f"{place}: one chunk holds {chunk_bytes / 2**30:.1f} GiB.",
            measured=f"chunk shape {chunk}, {store.dtype.name}; at most {_MAX_CHUNK_BYTES / 2**30:.0f} GiB",
            cause="the movie was saved in one piece, or its metadata are damaged",
            fix="save it again with chunks of about 1 MiB",
        )
    return store


def _shorten(error: BaseException) -> str:
    """Return tensorstore's message without its source locations and specification."""
    return str(error).split(" [tensorstore_spec=")[0].split(" [source locations=")[0][:400]
