"""Measure why sampled digits do not convince: the density of the latents is too simple."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.latent_density"))
