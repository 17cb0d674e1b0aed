"""Whether operations are recorded is the business of one thread and one task at a time."""

import asyncio
import contextvars
import threading

import pytest

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


def test_no_grad_records_nothing_and_modes_nest():
    assert recorded()
    with no_grad():
        assert not recorded()
        with enable_grad():
            assert recorded()
            with set_grad_enabled(False):
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()


def test_the_mode_is_restored_after_an_exception():
    with pytest.raises(ValueError, match="ambiguous"), no_grad():
        bool(Tensor([1.0, 2.0]))
    assert is_grad_enabled()


def test_modes_decorate_functions():
    @no_grad()
    def quiet():
        return recorded()

    assert [quiet(), quiet(), recorded()] == [False, False, True]


def test_no_grad_in_one_thread_leaves_another_alone():
    inside, done = threading.Event(), threading.Event()
    seen = []

    def quiet():
        with no_grad():
            inside.set()
            done.wait(10)
            seen.append(recorded())

    thread = threading.Thread(target=quiet)
    thread.start()
    assert inside.wait(10)
    seen.append(recorded())
    done.set()
    thread.join()
    assert seen == [True, False]


def test_a_thread_started_inside_no_grad_records_unless_given_the_context():
    seen = []
    with no_grad():
        plain = threading.Thread(target=lambda: seen.append(recorded()))
        plain.start()
        plain.join()
        context = contextvars.copy_context()
        inheriting = threading.Thread(target=lambda: seen.append(context.run(recorded)))
        inheriting.start()
        inheriting.join()
    assert seen == [True, False]


def test_asynchronous_tasks_keep_their_own_mode():
    async def quiet(order):
        with no_grad():
            await asyncio.sleep(0)
            order.append(("quiet", recorded()))
            await asyncio.sleep(0)
            return recorded()

    async def loud(order):
        await asyncio.sleep(0)
        order.append(("loud", recorded()))
        await asyncio.sleep(0)
        return recorded()

    async def both():
        order = []
        results = await asyncio.gather(quiet(order), loud(order), quiet(order))
        return results, order

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
    results = []

    def work():
        for _ in range(50):
            y = x
            for _ in range(20):
                y = y * 1.0 + 0.0
            results.append(grad(y * x, x)[0].item())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [4.0] * 200
    assert x.grad is None


@pytest.mark.filterwarnings("ignore:invalid value")
def test_anomaly_mode_names_the_operation_and_the_line_of_a_bad_result():
    x = Tensor([1.0, -1.0, 4.0], requires_grad=True)
    with detect_anomaly(), pytest.raises(FloatingPointError) as caught:
        x.sqrt()  # the line to be named
    message = str(caught.value)
    assert message.startswith("sqrt: the result is not finite (first at index (1,): nan)")
    assert "the line to be named" in message
    assert "test_engine_modes.py" in message


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_anomaly_mode_names_the_operation_and_the_line_of_a_bad_gradient():
    x = Tensor([1.0, 0.0], requires_grad=True)
    with detect_anomaly():
        y = x.sqrt()  # the gradient of this one
        with pytest.raises(FloatingPointError) as caught:
            y.sum().backward()
    message = str(caught.value)
    assert "sqrt: the gradient of input 0 is not finite (first at index (1,): inf)" in message
    assert "the gradient of this one" in message


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_outside_anomaly_mode_infinities_pass():
    x = Tensor([1.0, 0.0], requires_grad=True)
    x.sqrt().sum().backward()
    assert x.grad.numpy()[1] == float("inf")
