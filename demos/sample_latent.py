"""Draw new digits: sample a Gaussian fitted to the latents, and decode."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.sample_latent"))
