"""Ranks: the processes, on one machine or on many, that compute one thing together.

A :class:`Communicator` is what a rank knows of the others, and how it reaches them. The class
itself is the only rank there is; :class:`MpiCommunicator` reaches others through MPI, and
:class:`ThreadCommunicator` is a rank that is a thread of this process, for tests.

Every rank runs the same program on the same values. What only one of them may decide, since it
follows from a clock or a file, rank 0 decides: :meth:`Communicator.broadcast` and
:meth:`Communicator.decided`. Nothing but numbers, arrays and JSON goes from rank to rank.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy

from minigrad.backend import CPU, Array, Device, cuda, cut, device_of
from minigrad.parallel.nccl import NcclLinks, connect
from minigrad.parallel.threads import usable_cores

_Result = TypeVar("_Result")

# What launchers tell a process that they start as one of several.
_LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
# Waiting for another rank: so many looks in a row, then one a while. A rank that waits longer
# leaves its core to the others.
_LOOKS = 200
_PAUSE = 1e-4
_LONGEST_PAUSE = 2e-3
# How long a rank that has failed waits for the others before it ends them.
_LEAVE_SECONDS = 5.0


class RankError(RuntimeError):
    """Another rank failed, or the ranks do not agree; the message names the rank.

    Parameters
    ----------
    rank : int
    problem : str
        What is wrong there.

    Examples
    --------
    >>> raise RankError(2, "ZeroDivisionError: division by zero")
    Traceback (most recent call last):
        ...
    minigrad.parallel.ranks.RankError: rank 2: ZeroDivisionError: division by zero
    """

    def __init__(self, rank: int, problem: str) -> None:
        super().__init__(f"rank {rank}: {problem}")
        self.rank = rank


class Transfer:
    """An array on its way to or from another rank, which must be left alone until :meth:`wait`."""

    def __init__(self, ranks: Communicator, finish: Callable[[], None]) -> None:
        self._ranks = ranks
        self._finish = finish

    def wait(self) -> None:
        """Wait until the array has been sent or received."""
        started = time.perf_counter()
        self._finish()
        self._ranks.waited += time.perf_counter() - started


class Communicator:
    """A rank that is the only one; and what all kinds of ranks have in common.

    Attributes
    ----------
    rank, size : int
        Which rank this is, from 0, and of how many.
    local_rank : int
        Which of those on this machine.
    cores : int
        How many threads this rank may run: its part of the machine's cores.
    sent, received : int
        Bytes of arrays that this rank has sent and received so far.
    waited : float
        Seconds that it has waited for others.

    Examples
    --------
    >>> ranks = Communicator()
    >>> ranks.rank, ranks.size, ranks.broadcast({"stop": False}), ranks.gather("here")
    (0, 1, {'stop': False}, ['here'])
    """

    def __init__(
        self, rank: int = 0, size: int = 1, local_rank: int = 0, cores: int | None = None
    ) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.cores = cores or usable_cores()
        self.sent = 0
        self.received = 0
        self.waited = 0.0
        self._links: dict[Device, NcclLinks | None] = {}  # of GPUs

    def send(self, array: Array, to: int) -> Transfer:
        """Begin to send a contiguous array to a rank."""
        self.sent += array.nbytes
        link = self._links.get(device_of(array))
        return Transfer(self, link.send(array, to) if link else self._send(array, to))

    def receive(self, array: Array, source: int) -> Transfer:
        """Begin to receive from a rank into a contiguous array; in the order of its sending."""
        self.received += array.nbytes
        link = self._links.get(device_of(array))
        return Transfer(self, link.receive(array, source) if link else self._receive(array, source))

    def reaches(self, device: Device) -> bool:
        """Whether arrays on this rank's device can be sent as they are; all ranks ask together."""
        if device != CPU and device not in self._links:
            self._links[device] = connect(self, device)
        return device == CPU or self._links[device] is not None

    def gather(self, value: Any) -> list[Any]:
        """What each rank gives, a JSON value, in the order of the ranks; all ranks get it."""
        return [value]

    def broadcast(self, value: Any) -> Any:
        """Rank 0's JSON value, on all ranks."""
        return self.gather(value if self.rank == 0 else None)[0]

    def copy_from_first(self, array: numpy.ndarray) -> None:
        """Overwrite a contiguous array by rank 0's of the same shape and dtype."""

    def maximum(self, *numbers: int) -> list[int]:
        """The largest of the ranks' numbers, place by place."""
        return [max(column) for column in zip(*self.gather([int(n) for n in numbers]))]

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        self.maximum()

    def decided(self, function: Callable[[], _Result]) -> _Result:
        """What rank 0's call of a function gives, a JSON value, on all ranks.

        The others do not call it. If it raises, they raise :class:`RankError`.
        """
        if self.size == 1:
            return function()
        result, raised = None, None
        if self.rank == 0:
            try:
                result = function()
            except BaseException as error:
                raised = error
        problem, result = self.broadcast([raised and told(raised), result])
        if raised is not None:
            raise raised
        if problem is not None:
            raise RankError(0, problem)
        return result

    @contextlib.contextmanager
    def failing_together(self) -> Iterator[None]:
        """A block at whose end every rank raises if any does: its own error, or RankError."""
        try:
            yield
        except Exception as error:
            self.require_all_well(error)
        else:
            self.require_all_well(None)

    def require_all_well(self, error: BaseException | None) -> None:
        """Raise if any rank comes with an error: its own there, :class:`RankError` elsewhere."""
        problems = self.gather(error and told(error))
        if error is not None:
            raise error
        for rank, problem in enumerate(problems):
            if problem is not None:
                raise RankError(rank, problem)

    def require_same(self, what: str, value: Any) -> None:
        """Raise a RankError, naming the first rank whose JSON value is not rank 0's."""
        values = self.gather(value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise RankError(rank, f"{what} differs from rank 0's")

    def leave(self, status: int) -> int:
        """Meet all others at the end of the program; give the exit status of all, rank 0's."""
        return self.gather(status)[0]

    def _send(self, array: numpy.ndarray, to: int) -> Callable[[], None]:
        raise ValueError(f"send: there is no rank {to} of {self.size}")

    def _receive(self, array: numpy.ndarray, source: int) -> Callable[[], None]:
        raise ValueError(f"receive: there is no rank {source} of {self.size}")


class MpiCommunicator(Communicator):
    """A rank of an MPI program: all processes that ``mpiexec`` started.

    Every wait looks again and again, so that signals are handled meanwhile, and a rank with
    nothing to do leaves its core to others. ``world`` is by default a copy of ``MPI.COMM_WORLD``:
    no other library's messages are mixed in.

    ``mpiexec -n 2 python -m mpi4py -c "from minigrad.parallel import find_ranks;
    print(find_ranks().gather('here'))"`` prints ``['here', 'here']`` twice.
    """

    def __init__(self, world: Any = None) -> None:
        from mpi4py import MPI

        self._mpi = MPI
        self._is_interrupted = False  # in the midst of a wait
        self._world = MPI.COMM_WORLD.Dup() if world is None else world
        self._leaving = self._world.Dup()
        node = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        whole = range(os.cpu_count() or 1)
        mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(whole)
        everyones = [set(json.loads(text)) for text in node.allgather(json.dumps(sorted(mine)))]
        # A core that several ranks may use is a part of one for each.
        share = sum(1 / sum(core in cores for cores in everyones) for core in mine)
        cores = max(1, min(int(share + 1e-6), usable_cores()))
        super().__init__(self._world.rank, self._world.size, node.rank, cores)

    def gather(self, value: Any) -> list[Any]:
        text = numpy.frombuffer(json.dumps(value).encode(), "uint8")
        lengths = numpy.empty(self.size, "int64")
        self._wait(self._world.Iallgather(numpy.array([text.size], "int64"), lengths))
        texts = numpy.empty(int(lengths.sum()), "uint8")
        ends = numpy.cumsum(lengths)
        parts = [texts, (lengths.tolist(), (ends - lengths).tolist()), self._mpi.BYTE]
        self._wait(self._world.Iallgatherv([text, self._mpi.BYTE], parts))
        return [json.loads(part.tobytes()) for part in numpy.split(texts, ends[:-1])]

    def broadcast(self, value: Any) -> Any:
        text = numpy.frombuffer(json.dumps(value).encode(), "uint8") if self.rank == 0 else None
        length = numpy.array([0 if text is None else text.size], "int64")
        self.copy_from_first(length)
        if text is None:
            text = numpy.empty(int(length[0]), "uint8")
        self.copy_from_first(text)
        return json.loads(text.tobytes())

    def copy_from_first(self, array: numpy.ndarray) -> None:
        self._wait(self._world.Ibcast([array, array.nbytes, self._mpi.BYTE], root=0))

    def maximum(self, *numbers: int) -> list[int]:
        found = numpy.array([*numbers, 0], "int64")
        self._wait(self._world.Iallreduce(self._mpi.IN_PLACE, found, self._mpi.MAX))
        return found[:-1].tolist()

    def leave(self, status: int) -> int:
        """Meet all others, and end MPI: what the process does afterwards ends no other rank.

        A rank that failed alone would wait for ever: after some seconds it ends the others. Ctrl-C
        in the midst of a message leaves it unfinished, and MPI could not be ended.
        """
        statuses = numpy.full(self.size, status, "int64")
        meeting = self._leaving.Iallgather(numpy.array([status], "int64"), statuses)
        end = time.monotonic() + _LEAVE_SECONDS
        while not meeting.Test() and (status == 0 or time.monotonic() < end):
            time.sleep(_LONGEST_PAUSE)
        if not meeting.Test():
            self._world.Abort(status)
        if self._is_interrupted:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        self._mpi.Finalize()
        return int(statuses[0])

    def _send(self, array: numpy.ndarray, to: int) -> Callable[[], None]:
        request = self._world.Isend([array, array.nbytes, self._mpi.BYTE], to)
        return lambda: self._wait(request)

    def _receive(self, array: numpy.ndarray, source: int) -> Callable[[], None]:
        request = self._world.Irecv([array, array.nbytes, self._mpi.BYTE], source)
        return lambda: self._wait(request)

    def _wait(self, request: Any) -> None:
        looks = 0
        was_interrupted, self._is_interrupted = self._is_interrupted, True
        while not request.Test():
            looks += 1
            beyond = looks - _LOOKS
            time.sleep(0 if beyond < 0 else min(_PAUSE * (1 + beyond / 10), _LONGEST_PAUSE))
        self._is_interrupted = was_interrupted


class ThreadCommunicator(Communicator):
    """A rank that is a thread of this process; :func:`run_in_threads` makes them."""

    def __init__(self, rank: int, room: _Room) -> None:
        super().__init__(rank, room.size, rank, max(1, usable_cores() // room.size))
        self._room = room

    def gather(self, value: Any) -> list[Any]:
        self._room.values[self.rank] = json.dumps(value)
        self._room.meet()
        found = [json.loads(text) for text in self._room.values]
        self._room.meet()  # nobody gives the next value before all have read this one
        return found

    def copy_from_first(self, array: numpy.ndarray) -> None:
        self._room.arrays[self.rank] = array
        self._room.meet()
        if self.rank:
            array[...] = self._room.arrays[0]
        self._room.meet()

    def _send(self, array: numpy.ndarray, to: int) -> Callable[[], None]:
        self._room.ways[self.rank, to].put(array.copy())
        return lambda: None

    def _receive(self, array: numpy.ndarray, source: int) -> Callable[[], None]:
        way = self._room.ways[source, self.rank]

        def finish() -> None:
            array[...] = self._room.take(way)

        return finish


class _Room:
    """Where the ranks of one process meet, until one of them fails."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.values = [""] * size
        self.arrays: dict[int, numpy.ndarray] = {}
        self.ways: defaultdict[tuple[int, int], queue.SimpleQueue[Any]] = defaultdict(
            queue.SimpleQueue
        )
        self.failed: list[tuple[int, BaseException]] = []
        self._barrier = threading.Barrier(size)

    def fail(self, rank: int, error: BaseException) -> None:
        self.failed.append((rank, error))
        self._barrier.abort()
        for way in list(self.ways.values()):
            way.put(None)  # whoever waits there looks again

    def meet(self) -> None:
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            raise self._why() from None

    def take(self, way: queue.SimpleQueue[Any]) -> Any:
        array = None if self.failed else way.get()
        if array is None:
            way.put(None)
            raise self._why()
        return array

    def _why(self) -> RankError:
        rank, error = self.failed[0]
        return RankError(rank, told(error))


def run_in_threads(
    function: Callable[[Any], _Result], size: int, kind: Callable[..., Any] = ThreadCommunicator
) -> list[_Result]:
    """Call a function once for each of so many ranks, each in a thread of this process.

    Parameters
    ----------
    function : callable
        From a rank's communicator to anything.
    size : int
        How many ranks.
    kind : callable, optional
        Makes a rank's communicator; by default :class:`ThreadCommunicator`.

    Returns
    -------
    list
        What it gave, in the order of the ranks.

    Raises
    ------
    Exception
        What the first rank that failed raised; the others are stopped where they wait for it.

    Examples
    --------
    >>> run_in_threads(lambda ranks: ranks.maximum(ranks.rank), size=3)
    [[2], [2], [2]]
    """
    room = _Room(size)
    results: dict[int, _Result] = {}

    def run(rank: int) -> None:
        try:
            results[rank] = function(kind(rank, room))
        except BaseException as error:
            room.fail(rank, error)

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if room.failed:
        raise room.failed[0][1]
    return [results[rank] for rank in range(size)]


_found: list[Communicator] = []


def find_ranks() -> Communicator:
    """The ranks that ``mpiexec -n R python -m mpi4py ...`` started together with this process.

    Otherwise this process is the only one. A RuntimeError says that ``mpiexec`` started it without
    ``-m mpi4py``: a rank that fails would leave the others waiting.

    >>> find_ranks().size
    1
    """
    if not _found:
        if "mpi4py.run" in sys.modules:  # that is what -m mpi4py runs
            _found.append(MpiCommunicator())
        elif any(os.environ.get(name, "1") not in ("", "1") for name in _LAUNCHED):
            raise RuntimeError(
                "mpiexec started this program as one of several: start it by "
                "'mpiexec -n R python -m mpi4py PROGRAM', after pip install mpi4py mpich"
            )
        else:
            _found.append(Communicator())
    return _found[0]


def device_of_rank(name: str, ranks: Communicator) -> str:
    """The device that a rank computes on: of several on a machine each takes the next GPU.

    >>> device_of_rank("cpu", Communicator()), device_of_rank("cuda:3", Communicator())
    ('cpu', 'cuda:3')
    """
    if name != "cuda" or ranks.size == 1:
        return name
    return f"cuda:{ranks.local_rank % cuda.count()}"


def told(error: BaseException) -> str:
    """An error in one line: its kind and its message."""
    text = " ".join(str(error).split())
    return cut(f"{type(error).__name__}: {text}" if text else type(error).__name__, 500)
