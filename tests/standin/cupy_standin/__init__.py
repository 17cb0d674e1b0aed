"""A strict stand-in for CuPy 14 that needs no GPU.

It behaves as CuPy does and, where CuPy is undefined or racy, as the worst case would. It models
what minigrad and its tests use of CuPy; any other name that CuPy has is refused by name. Install
it, run the code under test on ``cuda``, and read the counters::

    from cupy_standin import counters, installed

    with installed(device_count=2) as cupy:
        with counters.measure() as used:
            (cupy.ones(3) + 1).sum().item()
        assert (used.launches, used.waits) == (3, 1)
"""

from .build import installed
from .counters import Counts, counters
from .options import FAILURES

__all__ = ["FAILURES", "Counts", "counters", "installed"]
