"""Which of CuPy's functions are modelled, and how each differs from NumPy's of the same name."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# functions that differ from NumPy's only in what is checked and counted
FUNCTIONS = _words("""
    all allclose amax amin angle any append apply_along_axis argmax argmin argpartition argsort
    argwhere around array_equal array_equiv array_split atleast_1d atleast_2d atleast_3d average
    bincount broadcast_arrays broadcast_to choose clip column_stack compress concatenate convolve
    copyto corrcoef correlate count_nonzero cov cross cumprod cumsum delete diag diagflat diagonal
    diff digitize dot dsplit dstack einsum expand_dims extract fill_diagonal flatnonzero flip
    fliplr flipud histogram hsplit hstack imag inner interp isclose iscomplex isreal kron max mean
    median meshgrid min moveaxis nan_to_num nanargmax nanargmin nanmax nanmean nanmin nanprod
    nanstd nansum nanvar nonzero outer packbits pad partition percentile place prod ptp put
    put_along_axis putmask quantile ravel real repeat reshape resize roll rollaxis rot90 round
    searchsorted select sort split squeeze stack std sum swapaxes take take_along_axis tensordot
    tile trace transpose tril triu trim_zeros unique unravel_index unwrap vander var vdot vsplit
    vstack where
    permute_dims matrix_transpose concat unpackbits
""")

# functions that answer from shapes and types alone
ON_HOST = _words("""
    base_repr binary_repr broadcast_shapes can_cast common_type finfo iinfo iscomplexobj isrealobj
    isscalar issubdtype min_scalar_type ndim promote_types result_type shape
""")

LINALG = _words("""
    cholesky cond cross det eigh eigvalsh inv lstsq matrix_power matrix_rank matrix_transpose norm
    pinv qr slogdet solve svd tensorinv tensorsolve
""")

METHODS = _words("""
    all any argmax argmin argpartition argsort choose clip compress conj conjugate cumprod cumsum
    diagonal dot max mean min nonzero prod put ravel repeat reshape round searchsorted squeeze std
    sum swapaxes take trace transpose var
""")

# parameters that hold one array
ARRAYS = frozenset(
    _words("""
    a a1 a2 a_max a_min ar arr array ary b condition dst fp m mask max min self src v x xp y A
""")
)
# ... and may be a number instead, in these functions
NUMBERS_ALLOWED = {
    "where": ("x", "y"),
    "clip": ("a_min", "a_max", "min", "max"),
    "isclose": ("a", "b"),
    "allclose": ("a", "b"),
    "copyto": ("src",),
    "put": ("v",),
    "searchsorted": ("v",),
    "meshgrid": ("x",),
}
SEQUENCES_OF_ARRAYS = frozenset(
    {"tup", "arrays", "arys", "seq", "operands", "xi", "args", "choicelist", "condlist"}
)
# functions whose parameters of those names need not hold arrays
NEED_NO_ARRAY = frozenset({"unravel_index"})

VIEWS = frozenset(
    _words("""
    transpose swapaxes moveaxis rollaxis expand_dims squeeze broadcast_to broadcast_arrays
    diagonal flip fliplr flipud rot90 split array_split hsplit vsplit dsplit atleast_1d atleast_2d
    atleast_3d real imag permute_dims matrix_transpose
""")
)

IN_PLACE = frozenset({"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"})

# where CuPy reads a value back to know a shape, or to check that a decomposition worked
WAITING = frozenset(
    _words("""
    apply_along_axis argwhere average bincount choose cholesky compress cond delete det eigh
    eigvalsh extract flatnonzero histogram inv lstsq matrix_rank nonzero percentile pinv place qr
    quantile slogdet solve svd tensorinv tensorsolve trim_zeros unique
""")
)

# these hand a sequence of arrays to one kernel, which reads tables of them: see functions.py
JOINING = frozenset(_words("concatenate concat stack hstack vstack dstack column_stack"))

# where cuBLAS or cuSOLVER computes, both of which refuse to be captured into a graph
OF_CUBLAS = frozenset(
    _words("convolve corrcoef correlate cov dot einsum inner kron tensordot vdot")
)

KEEPS_LAYOUT = frozenset({"copy"})
# CuPy's einsum returns a transposed view where that is handy: never what the caller expects
OTHER_LAYOUT = frozenset({"einsum"})

# parameters that NumPy's function lacks and that change no value here
DROPPED = {"argmax": ("dtype",), "argmin": ("dtype",), "reshape": ("copy",)}
# parameters that NumPy names otherwise
RENAMED = {"reshape": {"newshape": "shape"}}
