"""Time minigrad beside PyTorch, JAX, HIPS autograd and tinygrad, whichever are installed."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("benchmarking.command"))
