from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from morula.errors import DiskError
from morula.network.tensor_file import write_tensors

ONES = {"weight": torch.ones(2, 3)}


def test_tensors_come_back_and_nothing_else_is_left(tmp_path) -> None:
    write_tensors(ONES, tmp_path / "file", {"format": "test"})
    assert torch.equal(load_file(tmp_path / "file")["weight"], ONES["weight"])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_on_a_full_disk_the_file_that_was_there_stays(tmp_path) -> None:
    write_tensors(ONES, tmp_path / "file", {})
    (tmp_path / ".file.part").symlink_to("/dev/full")
    with pytest.raises(DiskError, match=r"No space left on device\).\n  measured: 0.0 MB needed"):
        write_tensors({"weight": torch.zeros(2, 3)}, tmp_path / "file", {})
    assert torch.equal(load_file(tmp_path / "file")["weight"], ONES["weight"])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there_is_said(tmp_path) -> None:
    with pytest.raises(DiskError, match=r"missing/file: the file cannot be written \(No such file or directory\)"):
        write_tensors(ONES, tmp_path / "missing" / "file", {})


def test_the_same_tensors_and_words_are_the_same_bytes_in_any_order(tmp_path) -> None:
    """Also beside other saves in the process, after which safetensors' own order is another."""
    tensors = {"b": torch.arange(3.0), "a": torch.zeros(2, 2)}
    words = {f"word-{i}": f"µ{i}" * i for i in range(9)}
    contents = set()
    for turn in range(6):
        order = list(words.items())[turn:] + list(words.items())[:turn]
        write_tensors(tensors, tmp_path / "saved", dict(order))
        contents.add((tmp_path / "saved").read_bytes())
    assert len(contents) == 1
    with safe_open(tmp_path / "saved", "pt") as file:
        assert file.metadata() == words
        assert (file.get_tensor("b") == tensors["b"]).all()
