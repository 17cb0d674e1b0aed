"""Try what minigrad, PyTorch, JAX, HIPS autograd and tinygrad can do, whichever are installed."""

from benchmarking.compare import main

if __name__ == "__main__":
    raise SystemExit(main())
