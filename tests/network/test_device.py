from __future__ import annotations

import pytest
import torch

from morula.network.device import choose_device, list_cards, measure_card_bytes, uses_bfloat16


@pytest.fixture
def three_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which torch counts three cards."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


def test_cards_are_named_by_their_numbers(three_cards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert list_cards() == ["0", "1", "2"]


def test_cards_that_were_chosen_outside_keep_their_names(three_cards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5,GPU-3fa1")
    assert list_cards() == ["2", "5", "GPU-3fa1"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")
def test_a_machine_without_cards_computes_on_its_processor() -> None:
    assert list_cards() == []
    assert choose_device().type == "cpu"


def test_16_bits_are_for_graphics_cards_unless_asked_for(monkeypatch) -> None:
    cpu, card = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: not including_emulation)
    assert [uses_bfloat16("auto", device) for device in (cpu, card)] == [False, True]
    assert [uses_bfloat16("float32", device) for device in (cpu, card)] == [False, False]
    assert [uses_bfloat16("bfloat16", device) for device in (cpu, card)] == [True, True]


def test_a_card_has_memory_and_a_processor_has_none_of_its_own() -> None:
    card = choose_device().type == "cuda"
    assert (measure_card_bytes() is not None) == card
