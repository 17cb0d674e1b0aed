"""The trainings behind the section on linear autoencoders: one that finds PCA, two that miss it."""

from __future__ import annotations

import numpy

from autoencoder.inference import reconstruct
from autoencoder.lecture.run import Run
from autoencoder.metrics import mse_per_pixel, principal_angles
from autoencoder.models import DenseAutoEncoder
from autoencoder.pca import PCA
from autoencoder.storage.results import Results
from autoencoder.training.linear_training import reconstruction_loss, second_moments, train_linear
from minigrad import Tensor

__all__ = ["LATENT_SIZES", "MINIBATCH_SIZE", "SHOWN_SIZE", "UNCENTRED_SIZE", "compute"]

LATENT_SIZES = (2, 8, 32)
PCA_SIZES = (2, 4, 8, 16, 32)
SHOWN_SIZE = 8  # of the figure with the decoder's columns
MINIBATCH_SIZE = 8
MINIBATCH_RUNS = 3
UNCENTRED_SIZE = 2
OBSERVED = 50  # how often the loss and the angle are looked at


class _Descent:
    """One training over the whole set: what is compared with the best there is, and the record."""

    def __init__(self, run: Run, moments: numpy.ndarray, best: PCA, results: Results) -> None:
        self.run = run
        self.moments = moments
        self.best = best
        self.results = results

    def floor(self, latent_size: int) -> float:
        """The least loss a sample: of the best subspace."""
        components = self.best.truncate(latent_size).components_
        loss = reconstruction_loss(Tensor(components), Tensor(components.T), Tensor(self.moments))
        return loss.item()

    def train(self, name: str, latent_size: int) -> numpy.ndarray:
        """Train; keep the loss and the largest angle along the way. Gives the decoder."""
        options, features = self.run.options, len(self.moments)
        basis = self.best.truncate(latent_size).components_.T
        floor = self.floor(latent_size)
        history: list[tuple[float, float, float]] = []

        def observe(step: int, loss: float, decoder: numpy.ndarray) -> None:
            history.append((step, loss / features, _largest_angle(decoder, basis)))

        _, decoder = train_linear(
            self.moments,
            latent_size,
            steps=options.steps,
            learning_rate=options.step_size,
            seed=options.seed,
            device=options.device,
            observe=observe,
            observe_at=_spread(options.steps),
        )
        loss = history[-1][1]
        self.results.arrays[f"{name}/history"] = numpy.array(history)  # step, loss, angle
        self.results.arrays[f"{name}/angles"] = numpy.rad2deg(principal_angles(decoder, basis))
        self.results.numbers[name] = {
            "latent_size": latent_size,
            "loss": loss,
            "loss_per_sample": loss * features,
            "floor": floor / features,
            "ratio": loss * features / floor,
            "angle": history[-1][2],
        }
        self.results.rows += [
            {
                "run": name,
                "step": step,
                "train_loss": loss,
                "train_loss_per_sample": loss * features,
                "largest_angle_degrees": angle,
            }
            for step, loss, angle in history
        ]
        return decoder


def compute(run: Run) -> Results:
    """PCA's table, descent at three latent sizes, and two ways to miss it; angles on the host."""
    options = run.options
    train = run.images("train", options.train_images)
    pca = PCA().fit(train)
    results = Results(
        numbers={
            "steps": options.steps,
            "epochs": options.epochs,
            "train_images": len(train),
        }
    )
    _measure_pca(run, pca, results)
    centred = _Descent(run, second_moments(train), pca, results)
    for d in LATENT_SIZES:
        decoder = centred.train(f"d{d}", d)
        if d == SHOWN_SIZE:
            components = pca.truncate(d).components_
            results.arrays |= {
                "columns": decoder.T.reshape(d, *train.shape[1:]),
                "components": components.reshape(d, *train.shape[1:]),
                "projected": _project(components, decoder).reshape(d, *train.shape[1:]),
            }
    uncentred_pca = PCA(centre=False).fit(train)
    uncentred = _Descent(run, second_moments(train, centre=False), uncentred_pca, results)
    decoder = uncentred.train("uncentred", UNCENTRED_SIZE)
    angles = principal_angles(decoder, pca.truncate(UNCENTRED_SIZE).components_.T)
    results.arrays["uncentred/angles_to_pca"] = numpy.rad2deg(angles)
    _train_in_minibatches(run, train, pca.truncate(MINIBATCH_SIZE), results)
    return results


def _spread(steps: int) -> set[int]:
    """Where to look at a descent: evenly on a logarithmic axis, and at its end."""
    return {
        int(step) for step in numpy.geomspace(1, steps, min(OBSERVED, steps // 5 + 1)).round()
    } | {steps}


def _largest_angle(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """In degrees, between the spans of the columns."""
    return float(numpy.rad2deg(principal_angles(a, b)[0]))


def _measure_pca(run: Run, pca: PCA, results: Results) -> None:
    test = run.images("test", run.options.test_images)
    losses = []
    for d in PCA_SIZES:
        kept = pca.truncate(d)
        losses.append(mse_per_pixel(kept.inverse_transform(kept.transform(test)), test))
    results.numbers["pca_test_loss"] = dict(zip(map(str, PCA_SIZES), losses, strict=True))


def _project(directions: numpy.ndarray, decoder: numpy.ndarray) -> numpy.ndarray:
    """Rows of directions, projected onto the span of the decoder's columns."""
    basis, _ = numpy.linalg.qr(decoder)
    return directions @ basis @ basis.T


def _train_in_minibatches(run: Run, train: numpy.ndarray, pca: PCA, results: Results) -> None:
    """The same linear pair on the same centred images, by steps over a batch of images each."""
    centred = train - train.mean(axis=0)
    floor = mse_per_pixel(pca.inverse_transform(pca.transform(train)), train)

    def evaluate(model: DenseAutoEncoder) -> dict[str, float]:
        decoder = model.decoder.weight.detach().to("cpu").numpy()
        loss = mse_per_pixel(reconstruct(model, centred, run.options.workers), centred)
        return {
            "ratio": loss / floor,
            "largest_angle_degrees": _largest_angle(decoder, pca.components_.T),
        }

    seeds = [run.options.seed + i for i in range(MINIBATCH_RUNS)]
    results.numbers["minibatch"] = []
    for seed in seeds:
        _, rows = run.trained(
            "linear-minibatch",
            lambda: DenseAutoEncoder(MINIBATCH_SIZE, train.shape[1:], bias=False),
            centred,
            run.settings(seed=seed),
            evaluate=evaluate,
        )
        angle, ratio = rows[-1]["largest_angle_degrees"], rows[-1]["ratio"]
        results.numbers["minibatch"].append({"seed": seed, "ratio": ratio, "angle": angle})
        angles = [(row["epoch"], row["largest_angle_degrees"]) for row in rows]
        results.arrays[f"minibatch/{seed}"] = numpy.array(angles)  # (epochs, 2)
        results.rows += [{"run": f"minibatch, seed {seed}", **row} for row in rows]
    # How much less the next direction is worth than the last one kept.
    kept, following = pca.truncate(MINIBATCH_SIZE + 1).explained_variance_[-2:]
    results.numbers["eigenvalue_gap"] = float(1 - following / kept)
