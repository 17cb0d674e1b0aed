"""The geometries on which every form of the convolutions is tried, and arrays that fit them."""

import functools

import numpy

from minigrad.kernels import (
    Geometry,
    conv2d_reference,
    conv2d_weight_grad_reference,
    conv_transpose2d_reference,
)


def make(case, dtype="float64", seed=0):
    """x, weight, y, both biases and the geometry of a case (images, channels, options)."""
    images, in_group, out_group, options = case
    geometry = Geometry(**options)
    rng = numpy.random.default_rng(seed)
    shapes = (
        (images, in_group * geometry.groups, *geometry.input_size),
        (out_group * geometry.groups, in_group, *geometry.kernel_size),
        (images, out_group * geometry.groups, *geometry.output_size),
        (in_group * geometry.groups,),
        (out_group * geometry.groups,),
    )
    return *(rng.standard_normal(shape).astype(dtype) for shape in shapes), geometry


def maps(functions, arrays, geometry):
    """What three functions make of a case: conv2d, conv_transpose2d and conv2d_weight_grad."""
    x, weight, y, in_bias, out_bias = arrays
    return (
        functions[0](x, weight, geometry, out_bias),
        functions[1](y, weight, geometry, in_bias),
        functions[2](x, y, geometry),
    )


LOOPS = (conv2d_reference, conv_transpose2d_reference, conv2d_weight_grad_reference)


@functools.cache
def definition(name):
    """What the loops give for a case, in double precision."""
    *arrays, geometry = make(CASES[name])
    return maps(LOOPS, arrays, geometry)


def random_cases(count):
    """Geometries of every kind: explicit sizes below, at and above those that fit whole."""
    rng = numpy.random.default_rng(7)
    for _ in range(count):
        pair = lambda low, high: tuple(int(v) for v in rng.integers(low, high, 2))  # noqa: E731
        options = dict(
            input_size=pair(1, 8),
            kernel_size=pair(1, 5),
            stride=pair(1, 4),
            padding=pair(0, 4),
            dilation=pair(1, 4),
        )
        groups = int(rng.integers(1, 4))
        sizes = zip(Geometry.output(*options.values()), rng.integers(-1, 3, 2), strict=True)
        options |= dict(output_size=tuple(int(max(n + d, 0)) for n, d in sizes), groups=groups)
        channels = [int(rng.choice((1, 2, 3, 40), p=(0.4, 0.3, 0.2, 0.1))) for _ in range(2)]
        yield int(rng.integers(0, 4)), *channels, options


def sizes(input_size, kernel_size, output_size, **options):
    return dict(input_size=input_size, kernel_size=kernel_size, output_size=output_size, **options)


def named_cases():
    size = sizes((6, 7), (3, 2), (4, 6))
    return {  # images, channels of a group that come in and go out, geometry
        "plain": (2, 3, 4, size),
        "one image, one channel": (1, 1, 1, size),
        "wide channels": (2, 33, 5, size),
        "empty batch": (0, 3, 4, size),
        "stride leaves a remainder": (2, 2, 3, size | dict(stride=(2, 3), output_size=(2, 2))),
        "kernel larger than the input": (2, 2, 3, sizes((2, 3), (5, 5), (2, 3), padding=(2, 2))),
        "outputs that see only padding": (2, 2, 3, sizes((3, 3), (2, 2), (9, 8), padding=(4, 3))),
        "inputs no output touches": (2, 2, 3, sizes((9, 9), (2, 1), (2, 3), stride=(4, 3))),
        "no output": (2, 2, 3, size | dict(output_size=(0, 6))),
        "no input": (2, 2, 3, sizes((0, 2), (1, 1), (2, 2), padding=(1, 0))),
        "padding out of reach": (2, 40, 3, size | dict(padding=(5, 4), output_size=(8, 9))),
        "depthwise": (2, 1, 1, size | dict(groups=4)),
        "groups, many channels": (2, 17, 16, size | dict(groups=2)),
        "dilated rows": (2, 33, 2, size | dict(dilation=(2, 1), output_size=(2, 6))),
        "dilated columns": (2, 33, 2, size | dict(dilation=(1, 3), output_size=(4, 4))),
        "asymmetric same padding": (2, 3, 4, sizes((5, 6), (4, 2), (5, 6), padding=(1, 0))),
        "one tile and a half": (2, 2, 3, sizes((9, 5), (7, 2), (3, 7), padding=(0, 1))),
        "a tile that reaches beyond its next": (2, 2, 3, sizes((15, 5), (7, 2), (9, 4))),
        "several tiles": (2, 16, 17, sizes((14, 6), (5, 5), (12, 3), padding=(1, 1))),
        "rows beyond all tiles": (2, 2, 3, sizes((23, 5), (3, 2), (15, 5), padding=(5, 1))),
        "tiles beyond the input": (2, 2, 3, sizes((4, 4), (3, 3), (25, 4), padding=(9, 1))),
        "window covers the input": (3, 8, 4, sizes((4, 4), (4, 4), (1, 1))),
    }


CASES = named_cases() | {f"random {i}": case for i, case in enumerate(random_cases(80))}
