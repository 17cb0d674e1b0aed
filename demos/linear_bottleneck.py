"""Train a linear bottleneck of 32 numbers between 784 pixels and set it beside PCA."""

from autoencoder.lecture.linear_bottleneck import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
