from __future__ import annotations

import subprocess
import sys

import pytest

from morula.network.memory import keep_freed_memory

COUNT_FAULTS = """
import resource, sys, threading
import numpy as np
from morula.network.memory import keep_freed_memory

if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit("cannot be told")

def touch():
    for _ in range(8):
        np.ones(8_000_000)

before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
thread = threading.Thread(target=touch)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _count_faults(mode: str) -> int:
    """Pages the system had to give for 64 MB, asked for and freed sixteen times, in two threads."""
    done = subprocess.run([sys.executable, "-c", COUNT_FAULTS, mode], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this C library keeps memory as it likes: {done.stderr}")
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have other C libraries")
def test_freed_memory_is_used_again_in_every_thread() -> None:
    """Without, each piece is new: 16 times the pages; with, they are asked for once."""
    assert _count_faults("keep") < 0.2 * _count_faults("leave")


def test_other_systems_are_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory.__wrapped__() is False
