"""A batch in shards, on several threads and several processes: the same bits for any number."""

from minigrad.parallel.ranks import Communicator, RankError, find_ranks, run_in_threads
from minigrad.parallel.shards import map_shards, shard_gradients, suggest_shard_size

__all__ = [
    "Communicator", "RankError", "find_ranks", "map_shards", "run_in_threads", "shard_gradients",
    "suggest_shard_size",
]  # fmt: skip
