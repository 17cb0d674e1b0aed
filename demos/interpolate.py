"""Walk between two digits in latent space, and in pixel space for contrast."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.interpolate"))
