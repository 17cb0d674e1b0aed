"""Time minigrad beside PyTorch, JAX, HIPS autograd and tinygrad, whichever are installed."""

from benchmarking.command import main

if __name__ == "__main__":
    raise SystemExit(main())
