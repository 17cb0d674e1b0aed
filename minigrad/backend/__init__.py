"""The ground floor: arrays on either device, BLAS's threads, random numbers, checks of numbers."""

from minigrad.backend.array_switch import (
    CPU,
    Array,
    Device,
    HostArray,
    HostScalar,
    array_module,
    as_array,
    as_dtype,
    as_host_array,
    common_device,
    device,
    device_of,
    is_array,
    keep_memory,
    named_device,
    strided_view,
    to_device,
    to_numpy,
    use_device,
    where_not_finite,
)
from minigrad.backend.blas import (
    has_one_blas_thread,
    multiplies_small_in_place,
    one_blas_thread,
    with_one_blas_thread,
)
from minigrad.backend.numbers import (
    cut,
    is_whole,
    pair,
    require_number,
    shown,
    unknown_name,
    user_line,
    whole_number,
    whole_numbers,
)
from minigrad.backend.random import (
    ShardGenerators,
    batches,
    default_generator,
    is_part_of_batch,
    manual_seed,
)
from minigrad.backend.stepwise import run_inside

__all__ = [
    "Array", "CPU", "Device", "HostArray", "HostScalar", "ShardGenerators", "array_module",
    "as_array", "as_dtype", "as_host_array", "batches", "common_device", "cut",
    "default_generator", "device", "device_of", "has_one_blas_thread", "is_array",
    "is_part_of_batch", "is_whole", "keep_memory", "manual_seed", "multiplies_small_in_place",
    "named_device", "one_blas_thread", "pair", "require_number", "run_inside", "shown",
    "strided_view", "to_device", "to_numpy", "unknown_name", "use_device", "user_line",
    "where_not_finite", "whole_number", "whole_numbers", "with_one_blas_thread",
]  # fmt: skip
