"""Small networks of every geometry: few channels, the strides of real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.network.fast import FastNetwork
from morula.network.model import Model
from morula.network.spec import NetworkSpec, choose_network

VOXELS_UM = {
    "ten to one": (10.0, 1.0, 1.0),
    "light sheet": (2.0, 0.8, 0.8),
    "isotropic": (1.0, 1.0, 1.0),
    "fine": (0.4, 0.4, 0.4),
    "coarse": (4.0, 4.0, 4.0),
}


@pytest.fixture(params=VOXELS_UM.values(), ids=VOXELS_UM.keys())
def spec(request) -> NetworkSpec:
    """The network for nuclei of 3 µm at each voxel size, with two channels a level."""
    return replace(choose_network(np.array(request.param), np.full(3, 3.0)), channels=(2, 2, 2))


@pytest.fixture
def model() -> Model:
    """A network of random weights, the same each time."""
    spec = replace(choose_network(np.array([2.0, 0.8, 0.8]), np.full(3, 3.0)), channels=(2, 3, 4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return Model(FastNetwork(spec).eval(), spec)
