"""A whole run with the published network: the same commands, one setting changed. Narrow and shallow, to be quick."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from morula.config import read_config
from morula.errors import ConfigError, ModelError
from morula.network.model import build_model, load_model
from morula.network.spec import choose_network
from morula.pipeline import run_pipeline
from morula.results import read_lineages
from morula.store.run_directory import view_run

PAPER = {
    "train.network": "paper",
    "train.paper_variant": "shared",
    "train.channels": "[4, 8]",
    "train.crop_outputs": "[4, 16, 16]",
    "train.movement_spread": "0.0",
    "train.learning_rate": "0.01",
    "train.second_iterations": "4",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_embryo: Path) -> Path:
    folder = Path(shutil.copytree(tiny_embryo, tmp_path_factory.mktemp("paper") / "tiny"))
    run_pipeline(read_config(folder / "run.toml", PAPER), folder / "run", until="solve")
    return folder / "run"


def test_training_detection_and_tracking_run_with_the_published_network(run: Path) -> None:
    """Both rounds of training, the second from the weights of the first, and every later stage."""
    with view_run(run) as opened:
        found, lineages = opened.store.read_detections(), read_lineages(opened.store)
    assert found.n > 20
    assert np.isfinite(found.movement_um).all()
    assert np.isnan(found.divides).all()
    assert lineages.tracks.n > 10


def test_the_weights_say_what_they_are_and_what_they_need(run: Path) -> None:
    spec = load_model(run / "model" / "train.safetensors").spec
    assert (spec.architecture, spec.variant, spec.input_frames) == ("paper", "shared", 7)
    assert spec.channels == (4, 8)
    assert spec.downsampling in (((1, 2, 2),), ((2, 2, 2),))
    assert spec.output_stride == spec.vector_stride == (1, 1, 1)
    assert min(spec.trim_vox) > 0


def test_weights_of_one_network_do_not_fit_another(run: Path) -> None:
    paper = load_model(run / "model" / "train.safetensors")
    fast = choose_network(np.array(paper.spec.voxel_size_um), np.full(3, 3.0))
    with pytest.raises(ModelError, match="do not fit the network"):
        build_model(fast, dict(paper.network.state_dict()))
    with pytest.raises(ModelError, match="do not fit the network"):
        build_model(replace(paper.spec, variant="split"), dict(paper.network.state_dict()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.channels": "[4, 8]"}, "no width for each level of the network `fast`"),
        ({"train.network": "paper", "train.channels": "[4]"}, "no width for each level of the network `paper`"),
        ({"train.network": "paper", "train.channels": "[4, 0]"}, "no width for each level"),
        ({"train.network": "slow"}, "train.network"),
    ],
)
def test_a_width_that_no_network_has_is_refused(tiny_embryo: Path, changes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(tiny_embryo / "run.toml", changes)
