"""Walk between two digits in latent space, and in pixel space for contrast."""

from autoencoder.lecture.interpolate import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
