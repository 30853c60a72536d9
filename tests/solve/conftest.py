"""Small graphs, drawn, and the generator of larger ones."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph

INSTANCES = Path(__file__).resolve().parents[2] / "benchmarks" / "instances.py"


def _graph(nodes: list[tuple[int, float, float]], edges: list[tuple[int, int, float]]) -> CandidateGraph:
    """Build a graph from nodes (t, x, score), sorted by t, and edges (parent, child, distance)."""
    t, x, score = (np.array(part) for part in zip(*nodes, strict=True))
    zyx = np.stack([np.zeros(len(x)), np.zeros(len(x)), x], axis=1)
    detections = Detections(t=t, zyx_um=zyx, score=score, movement_um=np.zeros_like(zyx))
    pairs = np.array([edge[:2] for edge in edges], np.int64).reshape(-1, 2)
    return CandidateGraph(nodes=detections, edges=pairs, distance_um=np.array([edge[2] for edge in edges], float))


@pytest.fixture
def graph():
    """Build a graph from nodes (t, x, score) and edges (parent, child, distance)."""
    return _graph


@pytest.fixture
def division():
    """A cell that divides; scores .9, distances in µm on the links.

    t0      t1      t2
                2--- 2
     0 --1-- 1 <
                2--- 3
    """
    return _graph([(0, 0, 0.9), (1, 0, 0.9), (2, -2, 0.9), (2, 2, 0.9)], [(0, 1, 1.0), (1, 2, 2.0), (1, 3, 2.0)])


@pytest.fixture
def newcomer():
    """The same picture, but the second child is too far (7 µm) to be a daughter: it comes from elsewhere.

    t0      t1      t2      t3
     0 --1-- 1 --1-- 2 --1-- 4
              `--7-- 3 --1-- 5
    """
    nodes = [(0, 0, 0.9), (1, 0, 0.9), (2, 0, 0.9), (2, 7, 0.9), (3, 0, 0.9), (3, 7, 0.9)]
    return _graph(nodes, [(0, 1, 1.0), (1, 2, 1.0), (1, 3, 7.0), (2, 4, 1.0), (3, 5, 1.0)])


@pytest.fixture
def gap():
    """A cell hardly seen in frame 2 (score .15): taking it is dearer than leaving it, losing the track dearer still.

     t0      t1      t2      t3      t4
    (.9)    (.9)    (.15)   (.9)    (.9)
      0 --1-- 1 --1-- 2 --1-- 3 --1-- 4
    """
    nodes = [(0, 0, 0.9), (1, 0, 0.9), (2, 0, 0.15), (3, 0, 0.9), (4, 0, 0.9)]
    return _graph(nodes, [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (3, 4, 1.0)])


@pytest.fixture
def junk():
    """A cell with junk around it (scores .15): a single one, one beside the track, and a chain of two.

    t0          t1          t2
     0 ---1----- 1 ---1----- 3        .9 each
                  `--2------ 4        .15, hangs on the cell
                 2 ---1----- 5        .15, a chain of its own
    """
    nodes = [(0, 0, 0.9), (1, 0, 0.9), (1, 30, 0.15), (2, 0, 0.9), (2, 2, 0.15), (2, 30, 0.15)]
    return _graph(nodes, [(0, 1, 1.0), (1, 3, 1.0), (1, 4, 2.0), (2, 5, 1.0)])


@pytest.fixture
def crossing():
    """Two cells that pass each other: the nearest link is wrong, and taking it leaves a long one (4.6 µm) for the rest.

    t0                t1
     0 -----2.0------- 2
       `-.   ,--1.8--'
          `-'
       ,-'   `--4.6--.
     1 -----2.0------- 3
    """
    nodes = [(0, 0, 0.9), (0, 3, 0.9), (1, 2, 0.9), (1, 5, 0.9)]
    return _graph(nodes, [(0, 2, 2.0), (1, 2, 1.8), (0, 3, 4.6), (1, 3, 2.0)])


@pytest.fixture(scope="session")
def instances() -> ModuleType:
    """Load the generator of the benchmarks."""
    spec = importlib.util.spec_from_file_location("morula_benchmark_instances", INSTANCES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
