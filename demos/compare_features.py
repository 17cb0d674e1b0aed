"""Try what minigrad, PyTorch, JAX, HIPS autograd and tinygrad can do, whichever are installed."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("benchmarking.features.command"))
