"""Train a linear autoencoder, and watch it find the principal components' subspace."""

from autoencoder.lecture.linear_is_pca import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
