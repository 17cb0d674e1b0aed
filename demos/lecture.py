"""Run every section of the lecture and write one page with all figures and numbers."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.lecture_page"))
