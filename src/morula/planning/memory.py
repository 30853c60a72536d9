"""How much memory the processes of a run need beside detection, which projects its own: what a graph or a frame holds.

The numbers were measured as peaks of fresh processes; the commands are in docs/performance.md.
"""

from __future__ import annotations

_PROCESS = 300e6
"""A process with its libraries and nothing to do."""

_GRAPH_PER_DETECTION = 900.0
_BLOBS_PER_VOXEL = 24.0
_CROPS = 700e6


def project_graph_memory(detections: float) -> float:
    """Return the bytes of a process that solves a graph of so many detections, five links each, in one go."""
    return _PROCESS + _GRAPH_PER_DETECTION * detections


def project_frame_memory(frame_voxels: float) -> float:
    """Return the bytes of a process that looks for blobs in whole frames, or in as much as the drift is measured on."""
    return _PROCESS + _BLOBS_PER_VOXEL * frame_voxels


def project_training_memory() -> float:
    """Return the bytes of a process that trains: crops and cached frames, whatever the movie's size."""
    return _PROCESS + _CROPS


def fit_detections(memory_bytes: float) -> float:
    """Return how many detections a graph may have that is solved within so much memory."""
    return max(0.0, memory_bytes - _PROCESS) / _GRAPH_PER_DETECTION
