"""A scheduler that speaks TLS only, with a certificate made as the page "On a cluster" says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import dask
import pytest
from block_work import square
from dask_processes import free_port, scheduler_at, worker_of

from morula.core.blocks import Block
from morula.engine import clusters
from morula.engine.choose import open_engine
from morula.engine.engine import BlockJob
from morula.engine.queues import choose_security
from morula.errors import WorkerError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder with what the page's section on TLS makes; Dask's configuration, here and in new processes, is in it."""
    section = PAGE.read_text(encoding="utf-8").split("## Keeping others out")[1].split("\n## ")[0]
    commands, settings = re.findall(r"^```(?:console|yaml)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    for line in commands.strip().splitlines():
        line = line.replace("~/.morula-keys", str(tmp_path))
        subprocess.run(["bash", "-c", line], check=True, capture_output=True)
    (tmp_path / "tls.yaml").write_text(settings.replace("/home/you/.morula-keys", str(tmp_path)))
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path))
    before = deepcopy(dask.config.config)
    dask.config.update(dask.config.config, dask.config.collect(paths=[str(tmp_path)], env={}))
    yield tmp_path
    dask.config.config.clear()
    dask.config.config.update(before)


def test_a_cluster_with_tls_computes_blocks(keys: Path, blocks: list[Block], tmp_path: Path) -> None:
    address = f"tls://127.0.0.1:{free_port()}"
    came_to: dict[int, int] = {}
    with scheduler_at(address), worker_of(address, tmp_path), open_engine(scheduler=address) as engine:
        engine.run_blocks(
            BlockJob("detect", blocks, square),
            on_done=lambda block, result, seconds: came_to.update({block.index: result}),
            on_failed=lambda block, error, attempts: pytest.fail(str(error)),
        )
    assert came_to == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert (keys / "key.pem").stat().st_mode & 0o77 == 0


def test_who_has_no_key_is_not_let_in(
    keys: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_S", 2.0)
    secured = address.replace("tcp", "tls")
    keyless = ("require-encryption", "tls.ca-file", "tls.client.key", "tls.client.cert")
    none = {f"distributed.comm.{name}": None for name in keyless}
    with scheduler_at(secured), dask.config.set(none):
        for tried in (address, secured):
            with pytest.raises(WorkerError, match="no Dask scheduler answers"), open_engine(scheduler=tried):
                pytest.fail("it was connected to")


def test_jobs_of_a_queue_use_the_certificate_of_the_user(keys: Path, tmp_path: Path) -> None:
    chosen = choose_security(tmp_path / "made")
    assert chosen.tls_worker_key == str(keys / "key.pem")
    assert not (tmp_path / "made").exists()
