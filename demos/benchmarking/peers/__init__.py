"""The libraries compared. Importing this imports none of them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from ..problems import Problem

__all__ = ["MATMUL", "MINIGRAD", "PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """A library, in one of its variants.

    Parameters
    ----------
    label, name : str
        What tables and what ``--peer`` call it.
    module : str
        The module that speaks its language.
    package : str
        What must be installed.
    variant : str
        See ``Settings``.
    only_convolutions : bool
        Whether the variant makes a difference nowhere else.
    has_convolutions, has_chains, has_cuda : bool
        Whether it can do these (a chain of 1,000 operations: in reasonable time).
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


def _peer(name: str, label: str = "", **traits: Any) -> Peer:
    return Peer(label or name, name, f"{__name__}.with_{name}", name, **traits)


MINIGRAD = _peer("minigrad", has_cuda=True)
MATMUL = _peer("numpy", "matmul", has_cuda=True)
LAST = {"variant": "channels_last", "only_convolutions": True}
PEERS = [
    _peer("torch", has_cuda=True),
    _peer("torch", "torch channels_last", has_cuda=True, **LAST),
    Peer(
        "torch compiled",
        "torch.compile",
        f"{__name__}.with_torch",
        "torch",
        variant="compiled",
        has_chains=False,  # compiles the network, not the loop
        has_cuda=True,
    ),
    _peer("jax", is_slow=True),
    _peer("autograd", has_convolutions=False),
    _peer("tinygrad", has_chains=False, is_slow=True),
    # Against itself: what the method calls a difference where there is none.
    _peer("minigrad", "minigrad again", has_cuda=True),
]
