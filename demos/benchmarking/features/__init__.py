"""What each library can do, found out by trying: a module a library, a function a feature.

``python -m benchmarking.features MODULE FEATURE`` tries one and prints what it returned.
"""

from __future__ import annotations

import importlib

__all__ = ["FEATURES", "SAME_BITS", "answer"]

SAME_BITS = "gradient_bits"
FEATURES = {  # the function's name, and what it means that it returns True
    "deep_chain": "a chain of 10,000 operations is differentiated",
    "second_derivative": "second derivatives through a strided convolution",
    "transposed_convolution": "a transposed convolution and its gradient",
    "change_in_place": "a value changed in place after use never gives a wrong gradient",
    "first_nan": "the operation that made the first NaN is named on request",
    "gradient_check": "a numerical gradient check is on board, and finds an error of 0.1 %",
    SAME_BITS: "the same bits of a convolution's gradient on one core and on two",
}


def answer(module: str, feature: str) -> object:
    """Try a feature in this process.

    Returns
    -------
    bool or str
        Whether it is there; of ``gradient_bits`` a digest; a string that begins with "no" where
        the library raised.
    """
    try:
        attempt = getattr(importlib.import_module(f"{__name__}.with_{module}"), feature, None)
        return False if attempt is None else attempt()
    except Exception as error:
        return f"no ({type(error).__name__})"
