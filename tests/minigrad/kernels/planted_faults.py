"""Faults planted in the CUDA sources, and whether running them shows each: see the test beside it.

As a program it prints what each fault leads to. Each runs in a process of its own, since some end
it, with AddressSanitizer's library loaded.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "demos"))

import emulation
import numpy
from emulated import Emulated, emulated_kernel
from geometries import make

from minigrad.kernels import (
    conv2d_reference,
    conv2d_weight_grad_reference,
    conv_transpose2d_reference,
    cuda,
)

SANITIZERS = (
    *("-fsanitize=address", "-fsanitize=bounds", "-fno-sanitize-recover=bounds"),
    *("-fsanitize-sections=shared_memory", "-O1"),
)


@dataclass(frozen=True)
class Fault:
    """A source that is wrong in one place."""

    what: str
    source: str


# Faults that change no result, each with the reason.
HARMLESS = {
    ("sum_parts", "dropped: warp == 0"): "all warps write the same sum",
    ("adam", "dropped: threadIdx.x == 0"): "all threads write the same two numbers",
}

# What a kernel gets wrong in a way of its own: (what, text, wrong text).
BY_HAND = {
    "conv2d": [
        ("one element too far in x", "x[first[r] + to]", "x[first[r] + to + 1]"),
        ("one element too far in the weight", "* kw + j] : 0;", "* kw + j + 1] : 0;"),
        ("one element too far in y", "y[m * O + o] =", "y[m * O + o + 1] ="),
        ("one row too far in a tile", "a[own][r] =", "a[own + 1][r] ="),
        ("one thread's tile transposed", "= sum[r][s] +", "= sum[s % THREAD_ROWS][r] +"),
        ("tile b transposed", "b[l][across + s];", "b[(across + s) % DEPTH][l + across / DEPTH];"),
        ("rows and columns exchanged", "q = m % Q, p = m / Q % P", "p = m % P, q = m / P % Q"),
        ("kernel transposed", "* kh + i) * kw + j] : 0;", "* kw + j) * kh + i] : 0;"),
        ("accumulator not set to zero", "[THREAD_COLUMNS] = {};", "[THREAD_COLUMNS];"),
        ("the last tile left out", "k0 < depth;", "k0 + DEPTH < depth;"),
        ("the bias of another channel", "bias[o]", "bias[o - o % 2]"),
    ],
    "conv_transpose2d": [
        ("one element too far in y", "y[first[r] + to]", "y[first[r] + to + 1]"),
        ("one element too far in the weight", "* kw + j] : 0;", "* kw + j + 1] : 0;"),
        ("one element too far in x", "* C + c] = sum", "* C + c + 1] = sum"),
        ("one row too far in a tile", "b[own][l] =", "b[own + 1][l] ="),
        ("one thread's tile transposed", "= sum[r][s] +", "= sum[s % THREAD_ROWS][r] +"),
        ("tile b transposed", "b[l][across + s];", "b[(across + s) % DEPTH][l + across / DEPTH];"),
        ("kernel transposed", "* kh + i) * kw + j] : 0;", "* kw + j) * kh + i] : 0;"),
        ("accumulator not set to zero", "[THREAD_COLUMNS] = {};", "[THREAD_COLUMNS];"),
        ("phases without padding", "(phase_w + pad_w - dilation_w * j0) %", "(phase_w - j0) %"),
        ("kernel rows one apart in every phase", "+ nth_h * every_h", "+ nth_h"),
        ("the last tile left out", "k0 < depth;", "k0 + DEPTH < depth;"),
    ],
    "conv2d_weight_grad": [
        ("one element too far in x", "x[first[l] + to]", "x[first[l] + to + 1]"),
        ("one element too far in y", "+ column] : 0;", "+ column + 1] : 0;"),
        ("one element too far in the result", "* kw + j] = sum", "* kw + j + 1] = sum"),
        ("one row too far in a tile", "a[l][t % ROWS] =", "a[l + 1][t % ROWS] ="),
        ("one thread's tile transposed", "= sum[r][s];", "= sum[s % THREAD_ROWS][r];"),
        ("tile b transposed", "b[l][across + s];", "b[(across + s) % DEPTH][l + across / DEPTH];"),
        ("kernel transposed", "* kh + i) * kw + j] = sum", "* kw + j) * kh + i] = sum"),
        ("accumulator not set to zero", "[THREAD_COLUMNS] = {};", "[THREAD_COLUMNS];"),
        ("all parts begin at the first pixel", "begin = part * pixels_each", "begin = 0 * part"),
    ],
    "product": [
        ("one element too far in a", "k * a_column_stride] : 0", "k * a_column_stride + 1] : 0"),
        ("one element too far in b", "n * b_column_stride] : 0", "n * b_column_stride + 1] : 0"),
        ("one element too far in c", "c[m * columns + n] =", "c[m * columns + n + 1] ="),
        ("one row too far in a tile", "a_tile[l][r] =", "a_tile[l + 1][r] ="),
        ("one thread's tile transposed", "= sum[r][s] +", "= sum[s % THREAD_ROWS][r] +"),
        ("a transposed", "a[m * a_row_stride + k *", "a[k * a_row_stride + m *"),
        ("accumulator not set to zero", "[THREAD_COLUMNS] = {};", "[THREAD_COLUMNS];"),
    ],
    "relu": [("one element too far", "= x[e] < 0 ? 0 : x[e]", "= x[e + 1] < 0 ? 0 : x[e + 1]")],
    "relu_grad": [("the gradient also where y is 0", "y[e] > 0", "y[e] >= 0")],
    "channel_sum": [
        ("one row too far", "m < end;", "m <= end;"),
        ("sum not set to zero", "REAL sum = 0;\n    if (c <", "REAL sum;\n    if (c <"),
        ("one shuffle left out", "down = WARP / 2;", "down = WARP / 4;"),
        ("one warp left out", "w < WARPS;", "w < WARPS - 1;"),
    ],
    "sum_parts": [
        ("one part too many", "b < count;", "b <= count;"),
        ("sum not set to zero", "REAL sum = 0;\n    if (e <", "REAL sum;\n    if (e <"),
        ("one warp left out", "w < WARPS;", "w < WARPS - 1;"),
    ],
    "join": [
        ("one element too far", "[blockIdx.y][e];", "[blockIdx.y][e + 1];"),
        ("each piece where the first belongs", "whole[first + e]", "whole[e]"),
    ],
    "adam": [
        ("one element too far", "= p - rate", "= values[e + 1] - rate"),
        ("the gradient of the neighbour", "g = gradient[e]", "g = gradient[e ^ 1]"),
        ("no correction of the mean", "rate = lr * root / (1 - pow(beta1, t))", "rate = lr * root"),
    ],
}  # fmt: skip


def own_text(kernel):
    """Where a kernel stands in its file: the end points."""
    source = cuda.source(kernel)
    begin = re.search(rf"\b{kernel}\(const|\b{kernel}\(REAL", source).start()
    begin = source.rindex('extern "C"', 0, begin)
    end = source.find('extern "C"', begin + 1)
    return source, begin, len(source) if end < 0 else end


def faults(kernel):
    """Every barrier dropped; every part of every condition dropped; and what was thought of."""
    source, begin, end = own_text(kernel)
    body = source[begin:end]

    def with_body(changed):
        return source[:begin] + changed + source[end:]

    for number, found in enumerate(re.finditer(r"__syncthreads\(\);", body), 1):
        line = source[: begin + found.start()].count("\n") + 1
        changed = body[: found.start()] + ";" + body[found.end() :]
        yield Fault(f"barrier {number} dropped (line {line})", with_body(changed))
    for found in re.finditer(r"(?:\bif \(|\binside = )(.*?)(?:\)\n|\) \{|;)", body):
        parts = found[1].split(" && ")
        for part in parts:
            others = " && ".join(other for other in parts if other is not part) or "true"
            changed = body[: found.start(1)] + others + body[found.end(1) :]
            line = source[: begin + found.start()].count("\n") + 1
            yield Fault(f"dropped: {part} (line {line})", with_body(changed))
    for what, text, wrong in BY_HAND[kernel]:
        assert body.count(text) == 1, (kernel, text, body.count(text))
        yield Fault(what, with_body(body.replace(text, wrong)))


@functools.cache
def combined_source(kernel):
    """A source with the kernel as it is, and each fault as a kernel of its own: KERNEL_1, ..."""
    texts = [cuda.source(kernel)]
    names = re.findall(r"void (?:__launch_bounds__\([^()]*\)\s+)?(\w+)\(", texts[0])
    structures = re.findall(r"struct (\w+) {", texts[0])
    for number, fault in enumerate(faults(kernel), 1):
        text = fault.source
        for name in names:
            text = re.sub(rf"\b{name}\(", f"{name}_{number}(", text)
        for name in structures:
            text = re.sub(rf"\b{name}\b", f"{name}_{number}", text)
        texts.append(text)
    return "\n".join(texts)


GEOMETRIES = [  # images, channels and output channels of a group, options
    (3, 10, 35, dict(input_size=(5, 6), kernel_size=(3, 2), output_size=(3, 6), padding=(0, 1))),
    (2, 9, 9, dict(input_size=(7, 9), kernel_size=(2, 3), output_size=(4, 3), stride=(2, 4))),
    (
        *(2, 10, 9),
        dict(input_size=(7, 6), kernel_size=(3, 2), output_size=(5, 5), stride=(2, 2))
        | dict(padding=(1, 3), dilation=(1, 2), groups=2),
    ),
    (2, 35, 12, dict(input_size=(9, 9), kernel_size=(1, 1), output_size=(2, 3), stride=(4, 3))),
    (4, 9, 9, dict(input_size=(9, 10), kernel_size=(1, 3), output_size=(9, 8))),
]


def spoilt(x, rng):
    """The array with not-a-number in a pixel of ten: only what depends on it may become that."""
    images, _, height, width = x.shape
    return numpy.where(rng.random((images, 1, height, width)) < 0.1, numpy.nan, x)


@functools.cache
def trials(kernel):
    """Inputs that a kernel is tried on: (method, arguments, what it should give)."""
    rng = numpy.random.default_rng(0)
    draw, found = rng.standard_normal, []
    for case in GEOMETRIES:
        x, weight, y, in_bias, out_bias, geometry = make(case)
        if kernel == "conv2d":
            inputs = spoilt(x, rng), weight, geometry, out_bias
            found.append((kernel, inputs, conv2d_reference(*inputs)))
        if kernel == "conv_transpose2d":
            inputs = spoilt(y, rng), weight, geometry, in_bias
            found.append((kernel, inputs, conv_transpose2d_reference(*inputs)))
        if kernel == "conv2d_weight_grad":
            found.append((kernel, (x, y, geometry), conv2d_weight_grad_reference(x, y, geometry)))
    if kernel == "product":
        for rows, depth, columns in ((33, 17, 10), (64, 40, 41)):
            a, b, bias = draw((rows, depth)), draw((columns, depth)).T, draw(columns)
            found.append((kernel, (a, b, bias), a @ b + bias))
    x, gradient = draw((2, 300))
    x[:3] = 0
    if kernel == "relu":
        found.append((kernel, (x,), numpy.maximum(x, 0)))
    if kernel == "relu_grad":
        found.append((kernel, (x, gradient), numpy.where(x > 0, gradient, 0)))
    if kernel in ("channel_sum", "sum_parts"):
        for shape, axes in (((2, 5, 9, 9), (0, 2, 3)), ((700, 40), 0)):
            y = draw(shape)
            found.append(("channel_sum", (y,), y.sum(axis=axes)))
    if kernel == "join":
        pieces = draw(5), draw(300), draw(2)
        found.append((kernel, pieces, numpy.concatenate(pieces)))
    if kernel == "adam":
        found.append(("adam_steps", (), adam_steps(adam_formula)))
    return found


def adam_steps(step, numbers=(1e-2, 0.9, 0.99, 1e-8, 0.1), decoupled=False, dtype="float64"):
    """Values and both means after three steps."""
    rng = numpy.random.default_rng(1)
    values, mean, square = numpy.zeros((3, 300), dtype)
    values[:] = rng.standard_normal(300)
    for t in (1, 2, 3):
        gradient = rng.standard_normal(300).astype(dtype)
        step(values, gradient, mean, square, t, numbers, decoupled)
    return numpy.stack([values, mean, square])


def adam_formula(values, gradient, mean, square, t, numbers, decoupled):
    """Kingma and Ba's algorithm 1, in the order of the paper."""
    lr, beta1, beta2, eps, decay = numbers
    if decoupled:
        values *= 1 - lr * decay
    else:
        gradient = gradient + decay * values
    mean[:] = beta1 * mean + (1 - beta1) * gradient
    square[:] = beta2 * square + (1 - beta2) * gradient**2
    values -= lr * (mean / (1 - beta1**t)) / (numpy.sqrt(square / (1 - beta2**t)) + eps)


class Planted(Emulated):
    """The kernels as they are, but one of them with a fault: its number, or 0 for none."""

    def __init__(self, kernel, number):
        super().__init__(flags=SANITIZERS)
        self.kernel, self.number = kernel, number

    def emulated(self, launch, dtype):
        name = launch.kernel
        name += f"_{self.number}" if self.number and name == self.kernel else ""
        text = combined_source(self.kernel)
        if name not in text:
            text = cuda.source(name)
        return emulated_kernel(text, name, launch.options(dtype), self.flags)


def verdict(kernel, number):
    """What a fault leads to, in words; '' where it leads to nothing."""
    card = Planted(kernel, number)
    try:
        for method, inputs, expected in trials(kernel):
            found = adam_steps(card.adam) if kernel == "adam" else getattr(card, method)(*inputs)
            if (numpy.isnan(found) != numpy.isnan(expected)).any():
                return "not a number in the wrong places"
            error = float(numpy.nanmax(numpy.abs(found - expected)))
            if error > 1e-10:
                return f"wrong by {error:.2g}"
    except emulation.EmulationError as error:
        return str(error)
    return ""


def in_its_own_process(kernel, number):
    """The verdict of a process that may not survive it; AddressSanitizer's, if it speaks."""
    with tempfile.TemporaryFile("w+") as answer, tempfile.TemporaryFile("w+") as report:
        process = os.fork()
        if process == 0:
            os.dup2(report.fileno(), 2)
            print(verdict(kernel, number), file=answer, flush=True)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        answer.seek(0)
        report.seek(0)
        text = report.read()
        for pattern in (
            r"kernel\.cu:\d+:\d+: runtime error: (.*)",
            r"SUMMARY: AddressSanitizer: (\S+)",
            r"AddressSanitizer:? ?(\S+)",
        ):
            if found := re.search(pattern, text):
                return f"AddressSanitizer: {found[1]}"
        if status:
            return f"the process ended with {status}: {text[-300:]}"
        return answer.read().strip()


def missing():
    """What keeps faults from being found here, in words; None if nothing does."""
    if emulation.missing() is not None:
        return emulation.missing()
    if not Path(sanitizer()).is_absolute():
        return f"{emulation.compiler()} comes without AddressSanitizer"
    return None


@functools.cache
def sanitizer():
    """The file of AddressSanitizer's library, which a process has to load first."""
    command = [emulation.compiler(), "-print-file-name=libasan.so"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def verdicts(kernel):
    """What each fault of a kernel leads to, by its name; '' where to nothing."""
    environment = os.environ | {
        "LD_PRELOAD": sanitizer(),
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
    }
    command = [sys.executable, __file__, kernel]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def answer(kernel):
    """Print the verdicts on a kernel, in the process that :func:`verdicts` started."""
    del os.environ["LD_PRELOAD"]  # it was for this process, not for the compiler
    verdict(kernel, 0)  # compiles, once for all
    named = {"as it is": 0} | {f.what: i for i, f in enumerate(faults(kernel), 1)}
    print(json.dumps({what: in_its_own_process(kernel, n) for what, n in named.items()}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        answer(sys.argv[1])
    else:
        for kernel in cuda.FILES:
            for what, consequence in verdicts(kernel).items():
                why = HARMLESS.get((kernel, what.partition(" (")[0]), "nothing")
                print(f"{kernel:18} {what:45} {consequence or why}")
