"""Modules that the lecture does without: for networks of your own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy

from minigrad import functional
from minigrad.backend import Device, default_generator, require_number, shown, whole_number
from minigrad.engine import Tensor
from minigrad.nn.module import Module, Sequential
from minigrad.nn.parameter import Parameter, parameter_dtype

if TYPE_CHECKING:
    from numpy.random import Generator


class ModuleList(Sequential):
    """``modules`` in a list, whose parameters are found; ``forward`` is yours to write.

    >>> from minigrad import nn
    >>> layers = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 1)])
    >>> len(layers), [name for name, _ in layers.named_parameters()][:2]
    (2, ['0.weight', '0.bias'])
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__(*modules)

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError("ModuleList: call its modules; it does not know in which order")


class Identity(Module):
    """Give back the input: a layer that can be left out. Any arguments and options are ignored.

    >>> from minigrad import Tensor, nn
    >>> nn.Identity()(Tensor([1.0]))
    Tensor([1.])
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # as PyTorch's: any are allowed
        pass

    def forward(self, input: Any) -> Any:
        """Any shape to the same shape."""
        return input


class GELU(Module):
    """``x`` times the share of the standard normal distribution below it.

    ``approximate`` is that of :func:`minigrad.functional.gelu`.

    >>> from minigrad import Tensor, nn
    >>> nn.GELU()(Tensor([0.0]))
    Tensor([0.])
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(
                f"GELU: approximate must be 'none' or 'tanh', got {shown(approximate)}"
            )
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Dropout(Module):
    """While training, each element 0 with probability ``p``, the others divided by ``1 - p``.

    In shards every shard draws from a generator of its own: the same bits for any number of
    workers. After ``eval()`` nothing is done.

    >>> from minigrad import Tensor, nn
    >>> nn.Dropout(0.2).eval()(Tensor([1.0]))
    Tensor([1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        require_number("Dropout", "p", p)
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must lie between 0 and 1, got {p}")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return functional.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace=False"


class GroupNorm(Module):
    """Give each sample's groups of channels mean 0 and variance 1, then a learnt scale and shift.

    There is no BatchNorm: its statistics would depend on how a batch is cut into shards. Parameters
    are those of :func:`minigrad.functional.group_norm`; ``weight`` (ones at first) and ``bias``
    (zeros) are (num_channels,), and not there without ``affine``.

    >>> from minigrad import Tensor, nn
    >>> nn.GroupNorm(1, 2)(Tensor([[[1.0], [3.0]]])).shape
    (1, 2, 1)
    """

    weight: Any
    bias: Any

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        self.num_groups = whole_number("GroupNorm", "num_groups", num_groups)
        self.num_channels = whole_number("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: {num_groups} groups do not divide {num_channels} channels"
            )
        require_number("GroupNorm", "eps", eps)
        self.eps, self.affine = eps, bool(affine)
        ones = numpy.ones(num_channels, parameter_dtype("GroupNorm", dtype))
        self.weight = Parameter(ones, device=device) if affine else None
        has_bias = affine and bias
        self.bias = Parameter(numpy.zeros_like(ones), device=device) if has_bias else None

    def forward(self, input: Tensor) -> Tensor:
        """(N, num_channels, ...) to the same shape."""
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A learnt vector for each of ``num_embeddings`` things, by their numbers.

    ``weight`` (num_embeddings, embedding_dim) is drawn from N(0, 1), by the ``generator`` if one is
    given. ``device`` and ``dtype`` are those of the weight, float32 by default.

    >>> from minigrad import Tensor, nn
    >>> nn.Embedding(10, 3)(Tensor([[1, 2], [1, 9]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        self.num_embeddings = whole_number("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = whole_number("Embedding", "embedding_dim", embedding_dim)
        drawn = (generator or default_generator()).standard_normal((num_embeddings, embedding_dim))
        dtype = parameter_dtype("Embedding", dtype)
        self.weight = Parameter(drawn.astype("float32"), dtype=dtype, device=device)

    def forward(self, input: Any) -> Tensor:
        """Whole numbers (...) to (..., embedding_dim)."""
        return functional.embedding(input, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


class MSELoss(Module):
    """The squared error of a prediction.

    Parameters are those of :func:`minigrad.functional.mse_loss`.

    >>> from minigrad import Tensor, nn
    >>> nn.MSELoss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(2.)
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape to a number, or with ``reduction="none"`` to that shape."""
        return functional.mse_loss(input, target, self.reduction)


class CrossEntropyLoss(Module):
    """How badly scores predict classes.

    Parameters are those of :func:`minigrad.functional.cross_entropy`.

    >>> from minigrad import Tensor, nn
    >>> nn.CrossEntropyLoss()(Tensor([[0.0, 0.0]]), Tensor([1]))
    Tensor(0.6931472)
    """

    def __init__(
        self, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Tensor:
        """Scores (N, C, ...) and class numbers (N, ...) to a number."""
        return functional.cross_entropy(
            input, target, self.reduction, self.ignore_index, self.label_smoothing
        )
