from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
import torch

from morula.network.build import build_network
from morula.network.prediction import Prediction
from morula.network.spec import NetworkSpec

KNOWN = get_args(get_type_hints(NetworkSpec)["architecture"])


@pytest.mark.parametrize("architecture", KNOWN)
@torch.inference_mode()
def test_every_network_a_spec_can_name_is_built_and_answers_on_both_its_grids(architecture) -> None:
    spec = NetworkSpec(
        voxel_size_um=(2.0, 1.0, 1.0),
        stem_stride=(1, 2, 2) if architecture == "fast" else (1, 1, 1),
        downsampling=((1, 2, 2),),
        channels=(2, 3),
        architecture=architecture,
        input_frames=3 if architecture == "fast" else 7,
        variant=None if architecture == "fast" else "shared",
    )
    answered = [3 * n for n in spec.total_stride]
    shown = [n + 2 * trim for n, trim in zip(answered, spec.trim_vox, strict=True)]
    said = build_network(spec)(torch.zeros(1, spec.input_frames, *shown))
    assert isinstance(said, Prediction)
    assert said.indicator.shape == (1, *(n // s for n, s in zip(answered, spec.output_stride, strict=True)))
    coarse = tuple(n // s for n, s in zip(answered, spec.vector_stride, strict=True))
    assert said.movement_um.shape == (1, 3, *coarse)
    assert said.events is None or said.events.shape == (1, 2, *coarse)
