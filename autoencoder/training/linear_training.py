"""A linear autoencoder trained by gradient descent over the whole training set, step by step cheap.

With an encoder E (d, F), a decoder D (F, d) and neither biases nor nonlinearities, the loss over N
samples x of F components sees the data only through their second moments C = (1/N) sum x x':

    (1/N) sum ||x - D E x||^2 = tr((I - D E) C (I - D E)')
                              = tr(C) - 2 tr(E C D) + tr((E C E') (D' D))

(expanded, and the trace rotated so that every product has a side of length d). With samples
centred on their mean, C is their covariance. So the exact gradient of 60,000 images costs two
products with a 784 x 784 matrix, whatever N is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy

from autoencoder.training import Interrupted, TrainingDiverged, random_generator, stop_request
from minigrad import Tensor, optim
from minigrad.backend import one_blas_thread, to_numpy, use_device, with_one_blas_thread

_CHUNK = 4096  # rows in float64 at once


@with_one_blas_thread
def second_moments(x: numpy.ndarray, centre: bool = True) -> numpy.ndarray:
    """The matrix C = (1/N) sum x x', (F, F) in float64, of samples flattened to F components.

    With ``centre`` the mean is subtracted first: then C is the covariance.

    >>> second_moments(numpy.array([[0.0, 1.0], [2.0, 1.0]]))
    array([[1., 0.],
           [0., 0.]])
    """
    rows = x.reshape(len(x), -1)
    mean = rows.mean(axis=0, dtype="float64") if centre else 0.0
    total = numpy.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK] - mean
        total += chunk.T.astype("float64") @ chunk
    return total / len(rows)


def reconstruction_loss(encoder: Tensor, decoder: Tensor, moments: Tensor) -> Tensor:
    """The mean over the samples of ||x - D E x||^2, from their second moments.

    E is (d, F), D is (F, d). On the lecture's scale, a sample's sum; divided by F, a component's.

    >>> first = numpy.array([[1.0, 0.0]])
    >>> reconstruction_loss(Tensor(first), Tensor(first.T), Tensor(numpy.diag([4.0, 3.0]))).item()
    3.0
    """
    # A trace of a product is the sum of an elementwise one: tr(A B) = sum of A * B'.
    projected = encoder @ moments  # (d, F)
    with use_device(moments.device):  # beside the operations, which see to it themselves
        total = Tensor(moments.data.trace())  # not differentiated: C is the data
    crossed = (projected * decoder.T).sum()
    return total - 2 * crossed + ((projected @ encoder.T) * (decoder.T @ decoder)).sum()


def train_linear(
    moments: numpy.ndarray,
    latent_size: int,
    *,
    steps: int = 2_000,
    learning_rate: float = 5e-3,
    seed: int = 0,
    device: str = "cpu",
    observe: Callable[[int, float, numpy.ndarray], None] | None = None,
    observe_at: Collection[int] = (),
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Minimise :func:`reconstruction_loss` with Adam, its rate falling along half a cosine.

    Gives the encoder (d, F) and the decoder (F, d), in float64: the loss is a difference of larger
    numbers, and the subspace is worth its digits. After as many steps as ``observe_at`` names, from
    0 to ``steps``, ``observe`` is told their number, the loss a sample and the decoder.

    Raises Interrupted after a signal, when nothing is kept (it is a matter of seconds), and
    TrainingDiverged if a loss that is to be observed is not finite.

    >>> encoder, decoder = train_linear(numpy.diag([4.0, 1.0]), 1, steps=500, learning_rate=0.05)
    >>> (decoder @ encoder).round(3) + 0.0
    array([[1., 0.],
           [0., 0.]])
    """
    features = len(moments)
    rng = random_generator(seed, "data", latent_size)
    # A decoder layer's usual bound, 1 / sqrt(d), makes D E far larger than the identity it must
    # come close to: from there the last angle takes thousands of steps more.
    bound = features**-0.5
    encoder, decoder = (
        Tensor(rng.uniform(-bound, bound, shape), requires_grad=True, device=device)
        for shape in ((latent_size, features), (features, latent_size))
    )
    matrix = Tensor(moments, device=device)
    optimizer = optim.Adam([encoder, decoder], lr=learning_rate)
    schedule = optim.CosineAnnealingLR(optimizer, steps)
    with stop_request() as stop, one_blas_thread():
        for step in range(steps + 1):
            loss = reconstruction_loss(encoder, decoder, matrix)
            if observe is not None and step in observe_at:
                if not math.isfinite(loss.item()):
                    raise TrainingDiverged(
                        f"by step {step}: the loss became not finite; try a smaller step size"
                    )
                observe(step, loss.item(), to_numpy(decoder.data))
            if step == steps:
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if stop:
                raise Interrupted(stop.signal_number, f"step {step + 1} of {steps}")
    return to_numpy(encoder.data), to_numpy(decoder.data)
