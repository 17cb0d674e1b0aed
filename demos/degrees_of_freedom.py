"""Find the number of factors that faces were drawn from: PCA and a deep autoencoder."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.degrees_of_freedom"))
