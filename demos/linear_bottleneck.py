"""Train a linear bottleneck of 32 numbers between 784 pixels and set it beside PCA."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.linear_bottleneck"))
