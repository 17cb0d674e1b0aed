"""Train the lecture's deep autoencoder at several latent sizes and set it beside PCA."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.train_autoencoder"))
