from __future__ import annotations

import torch

from morula.network.device import choose_device, measure_card_bytes, uses_bfloat16


def test_16_bits_are_for_graphics_cards_unless_asked_for(monkeypatch) -> None:
    cpu, card = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: not including_emulation)
    assert [uses_bfloat16("auto", device) for device in (cpu, card)] == [False, True]
    assert [uses_bfloat16("float32", device) for device in (cpu, card)] == [False, False]
    assert [uses_bfloat16("bfloat16", device) for device in (cpu, card)] == [True, True]


def test_a_card_has_memory_and_a_processor_has_none_of_its_own() -> None:
    card = choose_device().type == "cuda"
    assert (measure_card_bytes() is not None) == card
