"""Where small arrays lie: in memory the system was asked to back with large pages."""

import platform
import re
from pathlib import Path

import numpy
import pytest
from running import elsewhere

from minigrad.parallel.threads import Helpers, Offer

LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")

needs_large_pages = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not LARGE_PAGES.exists(),
    reason="needs the GNU C library, and a Linux with large pages",
)


def flags_of_memory_at(address):
    """What the system knows of the mapping an address lies in."""
    flags = ""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            start, end = (int(bound, 16) for bound in bounds.groups())
            inside = start <= address < end
        elif inside and line.startswith("VmFlags:"):
            flags = line.split()[1:]
    return flags


def test_an_address_is_found_in_its_mapping():
    if not Path("/proc/self/smaps").exists():
        pytest.skip("needs Linux")
    x = numpy.zeros(1 << 16)
    assert {"rd", "wr"} <= set(flags_of_memory_at(x.ctypes.data))


def flags_of_a_helpers_arrays():
    """What the system knows of four arrays of 1 MiB that a helper thread makes."""
    found = []

    def work():
        arrays = [numpy.ones(1 << 20, "uint8") for _ in range(4)]
        found.extend(flags_of_memory_at(array[array.size // 2 :].ctypes.data) for array in arrays)

    offer = Offer(work)
    Helpers(1).offer(offer)
    offer.wait()
    return found


@needs_large_pages
def test_a_helper_threads_arrays_too_small_for_numpy_to_ask_lie_in_large_pages():
    # In a process of its own: a thread may inherit the memory of one that has ended, with holes in
    # it that other tests left.
    found = elsewhere(__file__, "flags_of_a_helpers_arrays()")
    assert ["hg" in flags for flags in found] == [True] * 4
