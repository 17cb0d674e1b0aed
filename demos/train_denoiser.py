"""Train a denoising autoencoder on MNIST, then show what it does to noisy digits."""

from autoencoder.lecture.train_denoiser import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
