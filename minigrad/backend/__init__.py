"""The ground floor: arrays on either device, BLAS's threads, random numbers."""

from minigrad.backend.array_switch import (
    CPU,
    Array,
    Device,
    HostArray,
    HostScalar,
    array_module,
    as_dtype,
    as_host_array,
    common_device,
    device,
    device_of,
    is_array,
    keep_memory,
    strided_view,
    to_device,
    to_numpy,
    use_device,
)
from minigrad.backend.blas import multiplies_small_in_place, one_blas_thread, with_one_blas_thread
from minigrad.backend.random import (
    ShardGenerators,
    default_generator,
    is_part_of_batch,
    manual_seed,
)
from minigrad.backend.wording import cut, shown

__all__ = [
    "Array",
    "CPU",
    "Device",
    "HostArray",
    "HostScalar",
    "ShardGenerators",
    "array_module",
    "as_dtype",
    "as_host_array",
    "common_device",
    "cut",
    "default_generator",
    "device",
    "device_of",
    "is_array",
    "is_part_of_batch",
    "keep_memory",
    "manual_seed",
    "multiplies_small_in_place",
    "one_blas_thread",
    "shown",
    "strided_view",
    "to_device",
    "to_numpy",
    "use_device",
    "with_one_blas_thread",
]
