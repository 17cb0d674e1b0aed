"""Running the CUDA sources in the emulation shows every fault that is planted in them."""

from __future__ import annotations

import emulation
import pytest
from planted_faults import HARMLESS, faults, missing, own_text, verdicts

from minigrad.kernels import cuda

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.mark.parametrize("kernel", cuda.FILES)
def test_every_planted_fault_is_found_and_the_source_as_it_is_passes(kernel):
    found = verdicts(kernel)
    assert found.pop("as it is") == ""
    assert len(found) == len(list(faults(kernel)))
    missed = {what.partition(" (")[0] for what, consequence in found.items() if not consequence}
    if not emulation.fills_variables():
        missed -= {"accumulator not set to zero", "sum not set to zero"}
    assert missed == {what for of, what in HARMLESS if of == kernel}


def test_each_barrier_and_each_bound_is_among_the_faults():
    for kernel in cuda.FILES:
        source, begin, end = own_text(kernel)
        planted = [fault.what for fault in faults(kernel)]
        barriers = [what for what in planted if what.startswith("barrier")]
        assert len(barriers) == source[begin:end].count("__syncthreads()")
        bounds = [what for what in planted if what.startswith("dropped") and "<" in what]
        assert bounds, kernel
    planted = [fault.what for kernel in cuda.FILES for fault in faults(kernel)]
    assert sum(what.startswith("barrier") for what in planted) == 13
    assert len(planted) > 100
