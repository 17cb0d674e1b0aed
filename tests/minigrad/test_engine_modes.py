"""Whether operations are recorded is the business of one thread and one task at a time."""

import asyncio
import contextlib
import contextvars
import functools
import inspect
import threading

import pytest

import minigrad
from minigrad import (
    Tensor,
    detect_anomaly,
    enable_grad,
    grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)


def recorded():
    return (Tensor([1.0], requires_grad=True) * 2.0).requires_grad


def in_a_thread(*functions):
    """What some functions give that run in threads of their own, all at once."""
    seen = []
    threads = [threading.Thread(target=lambda f=f: seen.append(f())) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def test_no_grad_records_nothing_and_modes_nest_and_end_with_an_exception_too():
    assert recorded()
    with no_grad():
        assert not recorded()
        with enable_grad():
            assert recorded()
            with set_grad_enabled(False):
                assert not recorded()
            assert recorded()
        assert not recorded()
    with pytest.raises(ValueError, match="ambiguous"), no_grad():
        bool(Tensor([1.0, 2.0]))
    assert recorded()


def test_a_thread_has_a_mode_of_its_own_unless_given_the_context():
    with no_grad():
        assert in_a_thread(recorded) == [True]
        context = contextvars.copy_context()
        assert in_a_thread(lambda: context.run(recorded)) == [False]
    block = set_grad_enabled(False)

    def work():
        seen = [recorded()]
        with block:
            seen.append(recorded())
        return [*seen, recorded()]

    assert in_a_thread(work) == [[True, False, True]]
    assert not recorded()
    set_grad_enabled(True)


def test_asynchronous_tasks_keep_their_own_mode():
    async def quiet(order):
        with no_grad():
            return await loud(order, "quiet")

    async def loud(order, name="loud"):
        await asyncio.sleep(0)
        order.append((name, recorded()))
        await asyncio.sleep(0)
        return recorded()

    async def both():
        order = []
        return await asyncio.gather(quiet(order), loud(order), quiet(order)), order

    results, order = asyncio.run(both())
    assert results == [False, True, False]
    assert order == [("quiet", False), ("loud", True), ("quiet", False)]


def test_backward_inside_no_grad_still_works_and_grad_inside_it_records_on_demand():
    x = Tensor([3.0], requires_grad=True)
    y = x * x * x
    with no_grad():
        (slope,) = grad(y, x, create_graph=True)
        assert slope.requires_grad
        assert not is_grad_enabled()
    assert grad(slope, x)[0].item() == 18


def test_threads_build_and_walk_their_own_graphs_at_once():
    x = Tensor([2.0], requires_grad=True)

    def work():
        results = set()
        for _ in range(50):
            y = x
            for _ in range(20):
                y = y * 1.0 + 0.0
            results.add(grad(y * x, x)[0].item())
        return results

    assert in_a_thread(*[work] * 4) == [{4.0}] * 4
    assert x.grad is None


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero")
def test_anomaly_mode_names_the_operation_and_the_line_and_outside_it_infinities_pass(tensor):
    x = tensor([1.0, -1.0, 4.0], requires_grad=True)
    with detect_anomaly(), pytest.raises(FloatingPointError) as forward:
        x.sqrt()  # the line to be named
    x = tensor([1.0, 0.0], requires_grad=True)
    with detect_anomaly():
        y = x.sqrt()  # the gradient of this one
        with pytest.raises(FloatingPointError) as backward:
            y.sum().backward()
    for caught, what, line in (
        (forward, "the result is not finite (first at index (1,): nan)", "# the line to be named"),
        (
            backward,
            "the gradient of input 0 is not finite (first at index (1,): inf)",
            "of this one",
        ),
    ):
        message = str(caught.value)
        assert f"sqrt: {what}" in message
        assert line in message
        assert "test_engine_modes.py" in message
    x.sqrt().sum().backward()
    assert x.grad.to("cpu").numpy()[1] == float("inf")


DECORATORS = {
    "no_grad()": no_grad(),
    "no_grad": no_grad,
    "set_grad_enabled(False)": lambda function: set_grad_enabled(False)(function),
    "in enable_grad, in detect_anomaly": lambda f: no_grad(
        enable_grad()(detect_anomaly(no_grad(f)))
    ),
}


@pytest.fixture(params=DECORATORS)
def quiet(request):
    return DECORATORS[request.param]


def test_a_decorated_generator_is_quiet_at_each_step_and_its_caller_never(quiet):
    @quiet
    def steps(first):
        """Docs."""
        seen = [recorded()]
        try:
            while True:
                try:
                    seen.append((yield first, recorded()))
                except KeyError as error:
                    seen.append((error.args[0], recorded()))
                if seen[-1] is None:
                    return seen, recorded()
        finally:
            closed.append(recorded())

    closed = []
    assert steps.__doc__ == "Docs."
    assert inspect.isgeneratorfunction(steps)
    running = steps("first")
    assert (next(running), recorded()) == (("first", False), True)
    assert (running.send("sent"), recorded()) == (("first", False), True)
    assert (running.throw(KeyError("thrown")), recorded()) == (("first", False), True)
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == ([False, "sent", ("thrown", False), None], False)
    for end in ("close", "throw"):
        running = steps("first")
        next(running)
        with contextlib.suppress(ZeroDivisionError):
            getattr(running, end)(*[ZeroDivisionError] * (end == "throw"))
        assert recorded()
        with pytest.raises(StopIteration):
            next(running)
    assert closed == [False] * 3


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_generator_finds_its_own_mode_again_sees_its_callers_and_must_close():
    @no_grad()
    def steps():
        with enable_grad():
            yield recorded()
            yield recorded()
        yield recorded()

    for outside in (True, False):
        with set_grad_enabled(outside):
            seen = [(inside, recorded()) for inside in steps()]
        assert seen == [(True, outside), (True, outside), (False, outside)]

    @enable_grad()
    def stubborn():
        with contextlib.suppress(GeneratorExit):
            yield recorded()
            yield Tensor([0.0]).log()
        yield

    running = stubborn()
    assert next(running)
    with no_grad(), detect_anomaly(), pytest.raises(FloatingPointError):
        next(running)
    running = stubborn()
    next(running)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        running.close()


def test_a_decorated_coroutine_is_quiet_at_each_step_and_its_caller_never(quiet):
    class Pause:
        def __await__(self):
            return (yield "paused")

    @quiet
    async def work():
        before = recorded()
        sent = await Pause()
        try:
            await Pause()
        except KeyError:
            return before, sent, recorded()

    assert inspect.iscoroutinefunction(work)
    coroutine = work()
    assert (coroutine.send(None), recorded()) == ("paused", True)
    assert (coroutine.send("sent"), recorded()) == ("paused", True)
    with pytest.raises(StopIteration) as stop:
        coroutine.throw(KeyError())
    assert stop.value.value == (False, "sent", False)
    assert recorded()


def test_a_decorated_asynchronous_generator_is_quiet_and_its_consumer_is_not(quiet):
    closed = []

    @quiet
    async def steps():
        try:
            for i in range(3):
                await asyncio.sleep(0)
                try:
                    sent = yield i, recorded()
                except KeyError:
                    sent = yield "thrown", recorded()
                if sent:
                    yield sent, recorded()
        finally:
            await asyncio.sleep(0)
            closed.append(recorded())

    async def consume():
        assert [(seen, recorded()) async for seen in steps()] == [
            ((i, False), True) for i in range(3)
        ]
        running = steps()
        assert (await running.asend(None), recorded()) == ((0, False), True)
        assert (await running.asend("sent"), recorded()) == (("sent", False), True)
        assert (await running.__anext__(), recorded()) == ((1, False), True)
        assert (await running.athrow(KeyError()), recorded()) == (("thrown", False), True)
        await running.aclose()
        assert recorded()

    assert inspect.isasyncgenfunction(steps)
    asyncio.run(consume())
    assert closed == [False, False]


def test_decorated_tasks_keep_their_mode_while_others_run_and_when_cancelled():
    seen = []

    @no_grad
    async def quiet():
        try:
            await asyncio.sleep(60)
        finally:
            seen.append(recorded())

    async def both():
        task = asyncio.create_task(quiet())
        await asyncio.sleep(0)
        seen.append(recorded())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seen.append(recorded())

    asyncio.run(both())
    assert seen == [True, False, True]


def test_methods_partials_callable_objects_and_constructors_are_decorated(quiet):
    class Model:
        @quiet
        def plain(self, *arguments):
            return recorded(), *arguments

        @staticmethod
        @quiet
        def inner_static(*arguments):
            return recorded(), *arguments

        @quiet
        @staticmethod
        def outer_static(*arguments):
            return recorded(), *arguments

        @quiet
        @classmethod
        def of_the_class(cls, *arguments):
            return recorded(), cls is Model, *arguments

        def __call__(self):
            yield recorded()

    model = Model()
    assert model.plain(1) == model.inner_static(1) == model.outer_static(1) == (False, 1)
    assert Model.outer_static(1) == (False, 1)
    assert model.of_the_class(1) == Model.of_the_class(1) == (False, True, 1)
    for called in (model, functools.partial(Model.__call__, model)):
        assert list(quiet(called)()) == [False]

    @quiet
    class Made:
        def __init__(self, value):
            self.value, self.recorded = value, recorded()

        def later(self):
            return recorded()

    made = Made(1)
    assert isinstance(made, Made)
    assert (made.value, made.recorded, made.later()) == (1, False, True)


def test_what_cannot_be_decorated_is_refused_in_words():
    for decorate in (no_grad, no_grad(), enable_grad, detect_anomaly, set_grad_enabled(True)):
        with pytest.raises(TypeError, match="decorate functions, got an object 'property'"):
            decorate(property(recorded))
    for wrong in (recorded, None, "no", 2):
        with pytest.raises(TypeError, match="set_grad_enabled: expected True or False"):
            set_grad_enabled(wrong)


def test_set_grad_enabled_takes_effect_when_called_and_ends_with_its_block():
    block = set_grad_enabled(False)
    seen = [recorded()]
    with block:
        seen.append(recorded())
        with block:
            seen.append(recorded())
        seen.append(recorded())
    assert (seen, recorded()) == ([False] * 4, True)
    with block, set_grad_enabled(True):
        assert recorded()
    with no_grad():
        set_grad_enabled(True)
        assert recorded()
    assert recorded()
    set_grad_enabled(False)
    assert not recorded()
    with enable_grad():
        assert recorded()
    set_grad_enabled(True)
    assert recorded()


@pytest.mark.parametrize("make", [no_grad, lambda: set_grad_enabled(False)])
def test_one_object_is_entered_again_inside_itself_and_after_an_exception(make):
    block = make()
    for _ in range(2):
        with block:
            with pytest.raises(ZeroDivisionError), block:
                1 / recorded()
            assert not recorded()
            with enable_grad(), block:
                assert not recorded()
            assert not recorded()
        assert recorded()

    @block
    def recursive(depth):
        return [recorded()] + (recursive(depth - 1) if depth else [])

    assert (recursive(3), recorded()) == ([False] * 4, True)


def test_one_object_serves_two_threads_whose_blocks_overlap():
    block, inside, left = no_grad(), threading.Event(), threading.Event()

    def second():
        with enable_grad(), block:
            inside.set()
            assert left.wait(10)
            seen = [recorded()]
        return [*seen, recorded()]

    def first():
        with block:
            assert inside.wait(10)
        left.set()
        return recorded()

    assert sorted(in_a_thread(second, first), key=str) == [True, [False, True]]


def test_an_undecorated_generator_closed_by_another_thread_leaves_that_one_alone():
    def steps():
        with no_grad():
            yield

    running = steps()
    contextvars.copy_context().run(next, running)
    assert in_a_thread(lambda: (running.close(), recorded())) == [(None, True)]
    assert recorded()


def test_modes_agree_with_pytorch():
    torch = pytest.importorskip("torch")

    def answers(library, enabled):
        block = library.set_grad_enabled(False)
        seen = [enabled()]
        with block:
            seen.append(enabled())
        seen.append(enabled())
        decorated = library.set_grad_enabled(False)(enabled)
        seen += [enabled(), decorated(), library.no_grad(enabled)(), library.enable_grad(enabled)()]
        library.set_grad_enabled(False)
        with library.enable_grad():
            seen.append(enabled())
        seen.append(enabled())
        library.set_grad_enabled(True)

        @library.no_grad()
        def steps():
            yield enabled()
            yield enabled()

        return seen + [each for value in steps() for each in (value, enabled())]

    assert answers(minigrad, is_grad_enabled) == answers(torch, torch.is_grad_enabled)
