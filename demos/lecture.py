"""Run every section of the lecture and write one page with all figures and numbers."""

from autoencoder.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture_page"))
