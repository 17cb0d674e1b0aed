"""Run every section of the lecture and write one page with all figures and numbers."""

from autoencoder.lecture_page import main

if __name__ == "__main__":
    raise SystemExit(main())
