"""How much memory a block takes: pure arithmetic, fixed before anything is read.

Measured on peaks of fresh processes (`python benchmarks/bench_detect.py`), which it meets within a fifth (design/0033).
The memory grows with the voxels of one frame that are seen at once, whatever the length of movie and block.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from morula.detect.params import DetectParams
from morula.errors import ConfigError
from morula.network.spec import NetworkSpec

PROGRAM_BYTES = 640e6
"""The program with its libraries, and what these keep for themselves."""

_FLOAT_BYTES = 4
_WHILE_READ = 2.5
"""Frames in 32 bits that the reading of one holds: as it lies on the disk, as it is scaled, and the mask."""

_FAST_MAPS = 10.3
"""Groups of feature maps of the first level that `fast` holds at its peak."""

_PAPER_MAPS = {"split": 24.0, "shared": 20.0, "single": 18.0}
"""The same for `paper`, by variant; per voxel of the input, for five frames are held in several places at once."""

_SHORT = 0.8
"""Part of that left where convolutions are asked for in 16 bits; not everything is held in them."""

_ANSWER_MAPS = 3.0
"""Volumes of the indicator while it is refined, and compared with its neighbours in search of peaks."""

_SHARE = 0.6
"""Of a core's part of the memory, or of a card's, for a block: the rest is for neighbours and for what is misjudged."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a worker that a block may use, or is expected to.

    Parameters
    ----------
    host_bytes
        Of the machine, the program included.
    card_bytes
        Of its graphics card; None where the network computes on the CPU.
    """

    host_bytes: float
    card_bytes: float | None = None


def share_memory(params: DetectParams, *, core_bytes: float, card_bytes: float | None) -> Memory:
    """Return what a worker may use: as set, or three fifths of its part of the machine and of its card.

    It does not depend on how much is free at the moment nor on the number of workers, and so neither do the blocks.

    Parameters
    ----------
    params
        Threads of a worker, and `memory_gib` where it is set.
    core_bytes
        The machine's memory per core.
    card_bytes
        Memory of a worker's graphics card, if it has one.
    """
    host = _SHARE * core_bytes * params.threads if params.memory_gib is None else params.memory_gib * 2**30
    return Memory(host, None if card_bytes is None else _SHARE * card_bytes)


def project_memory(seen_vox: float, spec: NetworkSpec, params: DetectParams, *, on_card: bool) -> Memory:
    """Project the peak memory of a worker that predicts frames of so many voxels.

    Parameters
    ----------
    seen_vox
        Voxels of one frame shown to the network at once, halo and padding included.
    spec, params
        The network; whether it is asked about mirror images.
    on_card
        Whether it computes on a graphics card.
    """
    frames, network = seen_vox * _frame_bytes(spec), seen_vox * _network_bytes(spec, params)
    if on_card:
        return Memory(PROGRAM_BYTES + frames, network)
    return Memory(PROGRAM_BYTES + frames + network)


def fit_megavoxels(memory: Memory, spec: NetworkSpec, params: DetectParams) -> float:
    """Return how many millions of voxels of one frame can be seen at once: the inverse of `project_memory`.

    Raises
    ------
    ConfigError
        If the memory does not even hold the program.
    """
    spare = memory.host_bytes - PROGRAM_BYTES
    if spare <= 0:
        raise ConfigError(
            "detection has too little memory.",
            measured=f"{memory.host_bytes / 2**30:.2f} GiB for a worker; the program alone takes "
            f"{PROGRAM_BYTES / 2**30:.2f} GiB",
            fix="set detect.memory_gib to what a worker may use, or use a machine with more memory",
        )
    frames, network = _frame_bytes(spec), _network_bytes(spec, params)
    if memory.card_bytes is None:
        return spare / (frames + network) / 1e6
    return min(spare / frames, memory.card_bytes / network) / 1e6


def _frame_bytes(spec: NetworkSpec) -> float:
    """Bytes per voxel for frames: those the network sees, laid together once more, the next one, and one being read."""
    return _FLOAT_BYTES * (2 * spec.input_frames + 1 + _WHILE_READ)


def _network_bytes(spec: NetworkSpec, params: DetectParams) -> float:
    """Bytes per voxel of the input for feature maps and answers."""
    answers = _ANSWER_MAPS + (4 if params.mirrored else 0)
    answers /= prod(spec.output_stride)
    if spec.architecture == "paper":
        maps = _PAPER_MAPS[spec.variant or "split"]
    else:
        maps = _FAST_MAPS / prod(spec.stem_stride)
    if params.precision == "bfloat16":
        maps *= _SHORT
    return _FLOAT_BYTES * (maps * spec.channels[0] + answers)
