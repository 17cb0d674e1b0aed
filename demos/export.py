"""Take a trained network to PyTorch, as source and weights, or to ONNX."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.commands.export"))
