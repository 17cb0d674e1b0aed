"""Train a denoising autoencoder on MNIST, then show what it does to noisy digits."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.train_denoiser"))
