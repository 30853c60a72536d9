"""What a worker has: the memory of this machine and how many cores share it, containers and batch systems respected."""

from __future__ import annotations


def measure_core_bytes() -> float:
    """Return this machine's memory per core: Dask gives each of its own local workers as much per thread."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return float(MEMORY_LIMIT / CPU_COUNT)
