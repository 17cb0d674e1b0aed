"""Draw new digits: sample a Gaussian fitted to the latents, and decode."""

from autoencoder.lecture.sample_latent import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
