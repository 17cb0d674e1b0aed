"""The libraries compared. Importing this imports none of them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from ..problems import Problem

__all__ = ["MATMUL", "MINIGRAD", "PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """A library, in one of its variants.

    Parameters
    ----------
    label : str
        What tables call it.
    name : str
        What ``--peer`` calls it.
    module : str
        Of this package's modules, the one that speaks its language.
    package : str
        What must be installed.
    variant : str
        See ``Settings``.
    only_convolutions : bool
        Whether the variant makes a difference nowhere else.
    has_convolutions : bool
    has_chains : bool
        Whether it gets through a chain of 1,000 operations in reasonable time.
    has_cuda : bool
        Whether it is compared on a GPU.
    is_slow : bool
        On convolutions: left out where a step would take many seconds.
    """

    label: str
    name: str
    module: str
    package: str
    variant: str = ""
    only_convolutions: bool = False
    has_convolutions: bool = True
    has_chains: bool = True
    has_cuda: bool = False
    is_slow: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its package can be found."""
        return importlib.util.find_spec(self.package) is not None

    def takes_part(self, problem: Problem, device: str) -> bool:
        """Whether it can do a problem, and in reasonable time."""
        if device != "cpu" and not self.has_cuda:
            return False
        if problem.task == "chain" and not self.has_chains:
            return False
        if not problem.is_convolutional:
            return not self.only_convolutions
        is_large = problem.batch * problem.size**2 > 128 * 28**2
        return self.has_convolutions and not (self.is_slow and is_large)


def _module(name: str) -> str:
    return f"{__name__}.with_{name}"


MINIGRAD = Peer("minigrad", "minigrad", _module("minigrad"), "minigrad", has_cuda=True)
MATMUL = Peer("matmul", "matmul", _module("numpy"), "numpy", has_cuda=True)
PEERS = [
    Peer("torch", "torch", _module("torch"), "torch", has_cuda=True),
    Peer(
        "torch channels_last",
        "torch",
        _module("torch"),
        "torch",
        variant="channels_last",
        only_convolutions=True,
        has_cuda=True,
    ),
    Peer("jax", "jax", _module("jax"), "jax", is_slow=True),
    Peer("autograd", "autograd", _module("autograd"), "autograd", has_convolutions=False),
    Peer("tinygrad", "tinygrad", _module("tinygrad"), "tinygrad", has_chains=False, is_slow=True),
    # Against itself: what the method calls a difference where there is none.
    Peer("minigrad again", "minigrad", _module("minigrad"), "minigrad", has_cuda=True),
]
