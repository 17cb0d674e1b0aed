"""Measure why sampled digits do not convince: the density of the latents is too simple."""

from autoencoder.lecture.latent_density import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
