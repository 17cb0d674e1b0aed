"""Train the lecture's deep autoencoder at several latent sizes and set it beside PCA."""

from autoencoder.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.train_autoencoder"))
