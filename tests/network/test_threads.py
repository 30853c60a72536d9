from __future__ import annotations

import pytest
import torch

from morula.network.threads import use_threads


def test_the_number_of_threads_comes_back_even_after_an_error() -> None:
    before = torch.get_num_threads()
    inside = []

    def fail() -> None:
        with use_threads(before + 2):
            inside.append(torch.get_num_threads())
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert inside == [before + 2]
    assert torch.get_num_threads() == before
