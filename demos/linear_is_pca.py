"""Train a linear autoencoder, and watch it find the principal components' subspace."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.linear_is_pca"))
