"""Applying a model on several ranks: each computes a part, and every one has the whole."""

import numpy
import pytest

from autoencoder.classifier import Classifier, Judge, classify, features
from autoencoder.inference import decode, encode, reconstruct
from autoencoder.models import AutoEncoder
from minigrad import manual_seed
from minigrad.parallel import run_in_threads

IMAGES = numpy.random.default_rng(0).random((600, 1, 28, 28)).astype("float32")
LATENTS = numpy.random.default_rng(1).normal(size=(600, 2)).astype("float32")
CALLS = {
    "reconstruct": (AutoEncoder, reconstruct, IMAGES, "forward"),
    "encode": (AutoEncoder, encode, IMAGES, "encode"),
    "decode": (AutoEncoder, decode, LATENTS, "decode"),
    "classify": (Classifier, classify, IMAGES, "forward"),
    "features": (Classifier, features, IMAGES, "features"),
}


def applied(name, ranks=None):
    """What a call gives, and how many samples the model saw for it."""
    kind, function, x, method = CALLS[name]
    seen = []

    class Watched(kind):
        pass

    def watch(self, part):
        seen.append(len(part))
        return getattr(kind, method)(self, part)

    setattr(Watched, method, watch)
    model = Watched(2)
    for i, parameter in enumerate(model.parameters()):
        rng = numpy.random.default_rng(i)
        parameter.data[...] = rng.normal(size=parameter.shape) / 10
    return function(model, x, 1, ranks), sum(seen)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", CALLS)
def test_the_work_is_shared_and_the_result_is_one_processs_on_every_rank(name, size):
    whole, count = applied(name)
    found = run_in_threads(lambda ranks: applied(name, ranks), size)
    assert [result.tobytes() for result, _ in found] == [whole.tobytes()] * size
    measured = count - len(IMAGES)  # samples that the size of a shard is found with, on each rank
    shares = [seen - measured for _, seen in found]
    assert sum(shares) == len(IMAGES)
    assert max(shares) < len(IMAGES)


def test_the_judge_shares_what_it_looks_at():
    manual_seed(0)
    model = Classifier()
    alone = Judge(IMAGES, model, 1).score(IMAGES[::-1] / 2)

    def on_rank(ranks):
        score = Judge(IMAGES, model, 1, ranks).score(IMAGES[::-1] / 2)
        return score, ranks.received

    for score, received in run_in_threads(on_rank, 2):
        assert score == alone
        assert received > 0
