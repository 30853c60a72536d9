"""A run whose workers are jobs of a real Slurm, on this machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from queued_run import run_on_queue
from slurm_server import ask, running_slurm, why_not

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (the extra `cluster`)")
pytest.importorskip("cryptography", reason="cryptography is not installed (the extra `cluster`)")


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    missing = why_not()
    if missing:
        pytest.skip(missing)
    with running_slurm() as config:
        monkeypatch.setenv("SLURM_CONF", str(config))
        yield config


@pytest.mark.long
def test_a_run_on_slurm_goes_on_when_a_job_is_cancelled_and_ends_with_the_same_files(
    slurm: Path, tiny_embryo: Path, tiny_run: Path, tmp_path: Path
) -> None:
    with run_on_queue("slurm", "embryos", tiny_embryo, tmp_path) as run:
        cancelled = run.wait_for_worker()
        ask(slurm, "scancel", cancelled)
        said = run.finish()
    assert "2 jobs of slurm asked for" in said
    assert ask(slurm, "squeue", "--noheader", "--states=R,PD") == "", "jobs were left behind"
    assert "CANCELLED" in (run.jobs / f"morula-{cancelled}.err").read_text()
    run.assert_same_files(tiny_run)
