"""Tensors on disk: one safetensors file, written whole or not at all, with disk trouble in words."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

from morula.errors import DiskError


def write_tensors(tensors: Mapping[str, torch.Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors and a few words about them; a kill or a full disk leaves the file that was there.

    The same tensors and words are always the same bytes.

    Raises
    ------
    DiskError
        If the disk refuses.
    """
    content = _order_metadata(save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(metadata)))
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DiskError(
            f"{path}: the file cannot be written ({error.strerror or error}).",
            measured=f"{len(content) / 1e6:.1f} MB needed for this write",
            cause="the disk is full, or the folder may not be written to",
            fix="free some space or choose another place, and run again: what is finished is kept",
        ) from error


def _order_metadata(content: bytes) -> bytes:
    """Write the words of a file in the order of their names: safetensors leaves them in that of a hash table."""
    begins = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begins])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text + content[begins:]
