"""Compare denoisers: with and without a bottleneck, trained on little and on much noise."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.compare_denoisers"))
