"""Denoise points in the plane, and compare what is learnt with the exact posterior mean."""

from autoencoder.lecture.denoise_2d import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
