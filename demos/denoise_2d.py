"""Denoise points in the plane, and compare what is learnt with the exact posterior mean."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.denoise_2d"))
