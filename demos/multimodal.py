"""Show the weakness of squared loss: where several answers fit, it gives their mean."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.multimodal"))
