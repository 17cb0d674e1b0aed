"""Which of CuPy's functions are modelled, and how each differs from NumPy's of the same name.

A function that minigrad comes to use needs a word here, and one in the lists below where it gives
a view, makes the host wait, or computes with cuBLAS.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# functions that differ from NumPy's only in what is checked and counted
FUNCTIONS = _words("""
    all any argmax argmin broadcast_to clip concatenate count_nonzero diagonal dot einsum
    expand_dims max mean min nonzero pad prod ravel repeat reshape squeeze stack std sum swapaxes
    take_along_axis transpose unravel_index var where
""")
METHODS = _words("""
    all any argmax argmin clip diagonal dot max mean min nonzero prod ravel repeat reshape round
    squeeze std sum swapaxes trace transpose var
""")
LINALG = _words("cholesky eigh eigvalsh inv norm qr solve svd")
# functions that answer from shapes and types alone
ON_HOST = _words("broadcast_shapes can_cast ndim result_type shape")

# parameters that hold one array
ARRAYS = _words("a a_max a_min array b condition max min self x y")
# ... and may be a number instead, in these functions
NUMBERS_ALLOWED = {"where": ("x", "y"), "clip": ("a_min", "a_max", "min", "max")}
SEQUENCES_OF_ARRAYS = _words("tup arrays operands")
NEED_NO_ARRAY = _words("unravel_index")

VIEWS = _words("transpose swapaxes expand_dims squeeze broadcast_to diagonal")
# where CuPy reads a value back to know a shape, or to check that a decomposition worked
WAITING = _words("cholesky eigh eigvalsh inv nonzero qr solve svd")
# these hand a sequence of arrays to one kernel, which reads tables of them: see functions.py
JOINING = _words("concatenate stack")
# where cuBLAS or cuSOLVER computes, both of which refuse to be captured into a graph
OF_CUBLAS = _words("dot einsum")
# CuPy's einsum returns a transposed view where that is handy: never what the caller expects
LAYOUTS = {"einsum": "F"}
# parameters that NumPy's function lacks and that change no value here
DROPPED = {"argmax": ("dtype",), "argmin": ("dtype",), "reshape": ("copy",)}
