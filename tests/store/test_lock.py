from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from morula.errors import DiskError, StoreLockedError
from morula.store.lock import RunLock, is_locked

_HOLD = (
    "import sys, time; from pathlib import Path; from morula.store.lock import RunLock\n"
    "lock = RunLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
)


def test_a_second_lock_is_refused_and_names_the_first(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.lock")
    with pytest.raises(StoreLockedError, match="another morula is working in this run directory") as caught:
        RunLock(tmp_path / "run.lock")
    assert f"process {os.getpid()} on " in caught.value.measured
    lock.release()


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    RunLock(tmp_path / "run.lock").release()
    lock = RunLock(tmp_path / "run.lock")
    assert is_locked(tmp_path / "run.lock")
    lock.release()
    lock.release()
    assert not is_locked(tmp_path / "run.lock")


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path / "run.lock")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreLockedError, match=f"process {holder.pid} on "):
            RunLock(tmp_path / "run.lock")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    RunLock(tmp_path / "run.lock").release()
    assert json.loads((tmp_path / "run.lock").read_text())["pid"] == os.getpid()


def test_asking_whether_somebody_works_keeps_nobody_out(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "run.lock")
    assert not (tmp_path / "run.lock").exists()
    RunLock(tmp_path / "run.lock").release()
    assert not is_locked(tmp_path / "run.lock")
    RunLock(tmp_path / "run.lock").release()


def test_a_lock_in_a_folder_that_is_not_there_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="No such file or directory"):
        RunLock(tmp_path / "absent" / "run.lock")
