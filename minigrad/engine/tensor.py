"""Tensor: an array that remembers which operation made it.

The core is four files, read in this order: this one, ``operation.py`` (the node of the graph),
``basic.py`` (four operations) and ``autograd.py`` (the backward pass). Shape, printing and writing
in place are in ``values.py``; methods such as ``x.exp()`` are attached by ``ops/methods.py``, the
one link upward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minigrad.engine.values import TensorValues, as_array, version_of

if TYPE_CHECKING:
    from minigrad.backend import Array
    from minigrad.engine.operation import Operation


class Tensor(TensorValues):
    """An array, and how to differentiate with respect to it.

    Parameters
    ----------
    data : array, Tensor, number or nested list
        Arrays are shared, not copied, and keep their precision; Python floats become float32.
        Of float32, float64, whole numbers or booleans.
    requires_grad : bool
        Whether gradients with respect to this tensor are wanted.
    dtype, device : optional
        A NumPy dtype; ``"cpu"``, ``"cuda:1"``. By default those of the data.

    Attributes
    ----------
    data : numpy.ndarray or cupy.ndarray
        The values. Unlike ``copy_`` and ``zero_``, writing through it escapes the mutation check.
    grad : Tensor or None
        Filled in by ``backward`` on leaves: tensors the user made, not an operation.
    grad_fn : Operation or None
        The operation that made this tensor, if it was recorded.

    Raises
    ------
    TypeError
        If the data is of another type, or gradients are asked for whole numbers.
    OverflowError
        If a Python number is out of the range of the dtype asked for.

    Examples
    --------
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x).sum().sqrt().backward()
    >>> x.grad
    Tensor([0.6, 0.8])
    """

    __slots__ = ("__weakref__", "_version", "data", "grad", "grad_fn", "requires_grad")
    __array_ufunc__ = None  # so that `array * tensor` reaches Tensor.__rmul__

    data: Array
    grad: Tensor | None
    grad_fn: Operation | None
    requires_grad: bool

    def __init__(
        self, data: Any, requires_grad: bool = False, dtype: Any = None, device: Any = None
    ) -> None:
        self.data = as_array(data, dtype, device)
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(f"Tensor: only floating point can require gradients, got {self.dtype}")
        self.requires_grad = bool(requires_grad)
        self.grad = None
        self.grad_fn = None
        is_shared = isinstance(data, Tensor) and data.data is self.data
        self._version = version_of(data) if is_shared else None

    @staticmethod
    def _wrap(data: Array) -> Tensor:
        """Make a tensor around an array that needs no checking."""
        tensor = Tensor.__new__(Tensor)
        tensor.data = data
        tensor.requires_grad = False
        tensor.grad = tensor.grad_fn = tensor._version = None
        return tensor

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Add the gradients of this tensor to the ``grad`` of every leaf it depends on.

        ``gradient`` arrives from above, of this tensor's shape (1 for a single element). The other
        parameters, and the errors, are those of :func:`minigrad.grad`.

        Examples
        --------
        >>> x = Tensor(3.0, requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad
        Tensor(6.)
        """
        from minigrad.engine.autograd import backward

        backward(self, gradient, retain_graph, create_graph)
