"""``python -m minigrad``: what this installation computes with."""

from __future__ import annotations

import platform

import numpy
import threadpoolctl

import minigrad
from minigrad.backend import cuda


def main() -> None:
    """Print the version, NumPy, BLAS with its threads, and the GPU or why there is none."""
    print(f"minigrad {minigrad.__version__}, Python {platform.python_version()}")
    print(f"NumPy {numpy.__version__}")
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] == "blas":
            kind = pool.get("architecture", "unknown architecture")
            print(
                f"BLAS {pool['internal_api']} {pool['version']} ({kind}), "
                f"{pool['num_threads']} threads; one while shards run in parallel"
            )
    try:
        place = minigrad.device("cuda")
        print(f"GPU {place}: {cuda.describe(place.index or 0)}")
    except (RuntimeError, ValueError) as error:
        print(f"no GPU: {error}")


if __name__ == "__main__":
    main()
