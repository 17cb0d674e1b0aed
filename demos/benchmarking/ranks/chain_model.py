"""How long the sum over ranks takes: a model of the chain, and of what could take its place.

Links carry both directions at once. A chunk that comes to a rank is received whole, added to, and
sent on; a rank's end of a link carries one chunk at a time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from minigrad.parallel.chain import CHUNK

CHUNK_BYTES = 4 * CHUNK
MESSAGE = 1e-6  # seconds that a message costs a rank beside its way


class Network(NamedTuple):
    """What a link costs, and an addition: seconds a message, bytes a second."""

    latency: float
    bandwidth: float
    additions: float = 4e9  # of two arrays in the cache of a core


# As they are sold; the machine's own is measured by `demos/benchmark.py --case ranks`.
NETWORKS = {
    "10 Gbit/s Ethernet, 30 us": Network(30e-6, 1.2e9),
    "100 Gbit/s, 2 us": Network(2e-6, 12e9),
}


def chain_seconds(
    ranks: int, nbytes: int, network: Network, shards: int = 1, chunk: int = CHUNK_BYTES
) -> float:
    """How long the chain takes if all ranks begin at once, with so many shards a rank.

    The first chunk passes R - 1 links to the last rank, is added to at each, and comes back over
    as many; the others follow as fast as the slower of a link and a rank's additions.
    """
    chunks = math.ceil(nbytes / chunk)
    size = nbytes / chunks
    link, adding = size / network.bandwidth, shards * size / network.additions
    way = (ranks - 1) * (2 * (link + network.latency) + adding)
    return way + (chunks - 1) * max(link, adding)


def exchange_seconds(ranks: int, nbytes: int, network: Network, shards: int = 1) -> float:
    """How long it would take with the same bits if each rank summed its part of the elements.

    Every rank sends to every other that one's part of its shards' gradients, adds up what came in
    the order of the shards, and sends the sum to all: 2 (R - 1) messages a rank, and 1 + k times
    the parameters' bytes for k shards a rank.
    """
    part = nbytes / ranks
    sent = (ranks - 1) * (1 + shards) * part / network.bandwidth
    messages = 2 * (ranks - 1) * MESSAGE + 2 * network.latency
    return messages + sent + ranks * shards * part / network.additions
