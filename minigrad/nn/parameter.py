"""Parameter: a tensor that a module learns."""

from __future__ import annotations

from typing import Any

from minigrad.backend import Device
from minigrad.engine import Tensor


class Parameter(Tensor):
    """A tensor that belongs to a module and is to be learnt.

    Assigned to an attribute of a :class:`Module`, it is found by ``parameters()`` and saved by
    ``state_dict()``; a plain :class:`Tensor` there is a constant.

    Parameters
    ----------
    data : array, Tensor, number or nested list
        Arrays are shared, not copied.
    requires_grad : bool
        ``False`` for a parameter that is saved but held fixed.
    dtype : numpy dtype, optional
    device : str or Device, optional

    Examples
    --------
    >>> Parameter([1.0, 2.0])
    Parameter containing:
    Tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        requires_grad: bool = True,
        dtype: Any = None,
        device: str | Device | None = None,
    ) -> None:
        super().__init__(data, requires_grad, dtype, device)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
