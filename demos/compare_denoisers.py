"""Compare denoisers: with and without a bottleneck, trained on little and on much noise."""

from autoencoder.lecture.compare_denoisers import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
