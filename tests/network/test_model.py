from __future__ import annotations

import json
import pickle
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from morula.core.movie import Movie
from morula.errors import ModelError
from morula.network.model import Model, build_model, load_model, save_model


@pytest.fixture
def saved(model, tmp_path):
    """A model file."""
    save_model(model, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def _rewrite(path, *, spec=None, metadata=None, tensors=None) -> None:
    """Write the model again with something changed."""
    with safe_open(path, framework="pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        words = dict(file.metadata())
    if spec is not None:
        words["spec"] = spec
    save_file({**kept, **(tensors or {})}, path, {**words, **(metadata or {})})


@torch.inference_mode()
def test_a_model_written_and_read_predicts_the_same_bit_for_bit(model, saved) -> None:
    again = load_model(saved)
    frames = torch.from_numpy(np.random.default_rng(0).random((1, 3, *model.spec.total_stride)).astype(np.float32))
    assert again.spec == model.spec
    assert not again.network.training
    pairs = zip(again.network(frames), model.network(frames), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_writing_leaves_the_model_and_nothing_else(saved) -> None:
    assert [path.name for path in saved.parent.iterdir()] == ["weights.safetensors"]


def test_a_missing_model_is_said_to_be_missing(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"there is no model here.\n  fix:      run `morula train` first"):
        load_model(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_model_is_refused(saved, share) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match="not a readable model"):
        load_model(saved)


def test_a_file_of_another_kind_and_a_folder_are_refused(tmp_path) -> None:
    (tmp_path / "text").write_text("t,z,y,x,id,parent_id\n" * 9)
    for path in (tmp_path / "text", tmp_path):
        with pytest.raises(ModelError, match="not a readable model"):
            load_model(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": "morula-model-1"}])
def test_weights_of_another_program_or_version_are_refused(tmp_path, metadata) -> None:
    save_file({"layer.weight": torch.ones(2)}, tmp_path / "other", metadata)
    with pytest.raises(ModelError, match=r"(?s)format '.*', expected 'morula-model-2'.*fix:      train again"):
        load_model(tmp_path / "other")


@pytest.mark.parametrize("spec", ["", "{", "null", "[1, 2]", "{}", '{"depth": 3}'])
def test_a_damaged_description_is_refused(saved, spec) -> None:
    _rewrite(saved, spec=spec)
    with pytest.raises(ModelError, match=r"description (is damaged|cannot be read)"):
        load_model(saved)


def test_weights_of_other_shapes_than_described_are_refused(model, saved) -> None:
    _rewrite(saved, spec=json.dumps(replace(model.spec, channels=(2, 3, 5)).to_dict()))
    with pytest.raises(ModelError, match=r"(?s)weights do not fit the network.*size mismatch"):
        load_model(saved)


def test_missing_and_surplus_weights_are_refused(model) -> None:
    weights = model.network.state_dict()
    with pytest.raises(ModelError, match=r"(?s)do not fit.*Missing key"):
        build_model(model.spec, {k: v for k, v in weights.items() if not k.startswith("stem")})
    with pytest.raises(ModelError, match=r"(?s)do not fit.*Unexpected key"):
        build_model(model.spec, {**weights, "more": torch.ones(1)})


def test_weights_that_are_not_finite_are_refused(saved, model) -> None:
    _rewrite(saved, tensors={"stem.bias": torch.full_like(model.network.stem.bias, float("nan"))})
    with pytest.raises(ModelError, match=r"not finite, first in stem.bias.\n  measured: 1 of"):
        load_model(saved)


FITTING = [(2.0, 0.8, 0.8), (2.1, 0.85, 0.76)]
OTHERS = [(1.0, 0.8, 0.8), (2.0, 0.8, 0.9), (2.0, 0.71, 0.8), (0.8, 0.8, 2.0), (20.0, 8.0, 8.0)]


@pytest.mark.parametrize("voxel", FITTING)
def test_a_movie_of_about_the_same_voxel_size_is_accepted(model, voxel) -> None:
    model.check_movie(Movie(np.zeros((1, 2, 2, 2)), np.array(voxel)))


@pytest.mark.parametrize("voxel", OTHERS)
def test_a_movie_of_another_voxel_size_is_refused_with_both_sizes(model, voxel) -> None:
    movie = Movie(np.zeros((1, 2, 2, 2)), np.array(voxel), name="embryo")
    both = re.escape(f"model z, y, x = [2.0, 0.8, 0.8] µm, movie {list(voxel)} µm")
    with pytest.raises(ModelError, match=f"embryo: the model was trained at another voxel size.\n  measured: {both}"):
        model.check_movie(movie)


@torch.inference_mode()
def test_a_model_sent_to_another_process_predicts_the_same_bit_for_bit(model) -> None:
    again = pickle.loads(pickle.dumps(model))
    frames = torch.rand(1, 3, *model.spec.total_stride)
    assert again.spec == model.spec
    assert not again.network.training
    assert torch.equal(again.network(frames).indicator, model.network(frames).indicator)


def test_a_model_leaves_its_device_behind_when_it_is_sent() -> None:
    """Weights on a device without memory stand for a graphics card that the other process does not have."""
    network = torch.nn.Linear(2, 2)
    sent = Model(deepcopy(network).to("meta"), None)
    with pytest.raises(NotImplementedError, match=r"Cannot copy out of meta tensor"):
        sent.__reduce__()
