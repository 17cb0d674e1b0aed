"""Arrays from GPU to GPU by NCCL, without a copy on the host, where CuPy finds it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigrad.backend import Device, array_module, cuda, use_device

if TYPE_CHECKING:
    from minigrad.parallel.ranks import Communicator


def connect(ranks: Communicator, device: Device) -> NcclLinks | None:
    """Links of this rank's GPU to the others'; None unless all have NCCL and a GPU of their own."""
    found = cuda.nccl()
    answers = ranks.gather([found is not None, platform.node(), str(device)])
    places = {(node, name) for _, node, name in answers}
    if found is None or not all(answer[0] for answer in answers) or len(places) < ranks.size:
        return None
    return NcclLinks(ranks, device, found)


class NcclLinks:
    """What a rank sends to the next ranks goes one way, to those before it another.

    An operation of NCCL waits on its stream until the other rank takes part. On one stream the sum
    on its way up the chain and the result on its way down could wait for each other.
    """

    def __init__(self, ranks: Communicator, device: Device, nccl: Any) -> None:
        self._rank = ranks.rank
        self._nccl = nccl
        with use_device(device):
            own = [list(nccl.get_unique_id()) for _ in range(2)] if ranks.rank == 0 else None
            self._ways = [
                (nccl.NcclCommunicator(ranks.size, tuple(each), ranks.rank), cuda.new_stream())
                for each in ranks.broadcast(own)
            ]

    def send(self, array: Any, to: int) -> Callable[[], None]:
        """Begin to send what the GPU has computed by now; gives what waits for it."""
        way, stream = self._ways[to > self._rank]
        computed = array_module(array).cuda.get_current_stream().record()
        stream.wait_event(computed)
        way.send(array.data.ptr, array.nbytes, self._nccl.NCCL_UINT8, to, stream.ptr)
        return stream.synchronize

    def receive(self, array: Any, source: int) -> Callable[[], None]:
        """What receives, once it is called: until then nothing waits on the GPU."""
        way, stream = self._ways[source < self._rank]

        def finish() -> None:
            way.recv(array.data.ptr, array.nbytes, self._nccl.NCCL_UINT8, source, stream.ptr)
            stream.synchronize()

        return finish
