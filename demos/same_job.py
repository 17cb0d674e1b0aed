"""One job with minigrad, PyTorch, Keras and pythae: lines of code, seconds and error."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("benchmarking.same_job.command"))
