"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real movies and tracks; MORULA_TEST_DATA names it, by default ../shared/data beside the project."""
    folder = Path(os.environ.get("MORULA_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set MORULA_TEST_DATA to run this test")
    return folder
