"""A batch in shards on several threads, the same bits for any number of them."""

from minigrad.parallel.shards import map_shards, shard_gradients, suggest_shard_size

__all__ = ["map_shards", "shard_gradients", "suggest_shard_size"]
