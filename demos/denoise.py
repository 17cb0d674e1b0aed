"""Denoise pictures with a model that demos/train_denoiser.py trained."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.commands.denoise"))
