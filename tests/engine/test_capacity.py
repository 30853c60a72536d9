from __future__ import annotations

import os

import psutil

from morula.engine.capacity import measure_core_bytes


def test_a_core_has_its_part_of_the_memory_and_not_more() -> None:
    whole = psutil.virtual_memory().total
    assert whole / os.cpu_count() / 100 < measure_core_bytes() <= whole
