"""Graphics cards as a resource of Dask's workers: who has one, and which one."""

from __future__ import annotations

from collections.abc import Sequence

from distributed import Client

RESOURCE = "GPU"
"""Name under which workers offer their card: ``dask worker ... --resources GPU=1``."""


def assign_cards(n_workers: int, cards: Sequence[str]) -> list[str | None]:
    """Return the card of each worker, in turn: with more workers than cards some share one.

    Examples
    --------
    >>> assign_cards(3, ["0", "1"])
    ['0', '1', '0']
    >>> assign_cards(2, [])
    [None, None]
    """
    return [cards[i % len(cards)] if cards else None for i in range(n_workers)]


def describe_worker(card: str | None) -> dict[str, object]:
    """Return what a worker that shall see this card only, or none is there, is started with."""
    if card is None:
        return {}
    return {"env": {"CUDA_VISIBLE_DEVICES": card}, "resources": {RESOURCE: 1}}


def count_cards(client: Client) -> int:
    """Return how many blocks the workers' cards compute at once."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return int(sum(worker["resources"].get(RESOURCE, 0) for worker in workers))
