"""Train an autoencoder with one latent on a noisy curve, then show the curve it found."""

from autoencoder.lecture.manifold import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
