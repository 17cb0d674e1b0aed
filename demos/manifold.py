"""Train an autoencoder with one latent on a noisy curve, then show the curve it found."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.manifold"))
