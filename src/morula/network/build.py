"""From a description to a network: the one place that knows which class belongs to which name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from morula.network.fast import FastNetwork
from morula.network.paper import PaperNetwork
from morula.network.spec import NetworkSpec

_NETWORKS: dict[str, Callable[[NetworkSpec], nn.Module]] = {"fast": FastNetwork, "paper": PaperNetwork}


def build_network(spec: NetworkSpec) -> nn.Module:
    """Build the network a description names, with fresh weights from torch's random state.

    Called with frames of shape (batch, `NetworkSpec.input_frames`, z, y, x), the module returns a
    `morula.network.prediction.Prediction`. Sizes are multiples of `NetworkSpec.total_stride` plus twice
    `NetworkSpec.trim_vox`, the margin for which a network without padding gives no answer.
    """
    return _NETWORKS[spec.architecture](spec)
