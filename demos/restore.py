"""Restore erased pixels, blocks and halves of digits with an autoencoder, and with PCA."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.restore"))
