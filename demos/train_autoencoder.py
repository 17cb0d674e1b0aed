"""Train the lecture's deep autoencoder at several latent sizes and set it beside PCA."""

from autoencoder.lecture.train_autoencoder import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
