"""How long link_candidates takes: ``python benchmarks/bench_candidates.py --detections 1000000``."""

from __future__ import annotations

import argparse
import resource
import time

from instances import make_instance
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams


def main() -> None:
    """Print one line per size: the size asked for and, with --growth, its halves down to an eighth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=1_000_000)
    parser.add_argument("--per-frame", type=int, default=5000)
    parser.add_argument("--skip", type=int, default=0, help="missing frames a link may reach over")
    parser.add_argument("--growth", action="store_true", help="also an eighth, a quarter and a half of the detections")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    params = CandidatesParams(max_skip_frames=options.skip)
    sizes = [options.detections // part for part in ((8, 4, 2, 1) if options.growth else (1,))]
    print("detections     edges  seconds  cpu_seconds  us_per_detection  peak_MiB")
    for size in sizes:
        found = make_instance(size, max(2, size // options.per_frame), seed=options.seed).detections
        wall, cpu = time.perf_counter(), time.process_time()
        graph = link_candidates(found, params)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{size:10d} {graph.n_edges:9d} {wall:8.2f} {cpu:12.2f} {1e6 * cpu / size:17.1f} {peak:9.0f}")


if __name__ == "__main__":
    main()
