"""Restore erased pixels, blocks and halves of digits with an autoencoder, and with PCA."""

from autoencoder.lecture.restore import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
