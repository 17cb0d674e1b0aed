"""A batch in shards on several threads, the same bits for any number of them."""

from minigrad.parallel.gradients import map_shards, shard_gradients, suggest_shard_size
from minigrad.parallel.helper_threads import usable_cores

__all__ = ["map_shards", "shard_gradients", "suggest_shard_size", "usable_cores"]
