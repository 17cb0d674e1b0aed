"""Find the number of factors that faces were drawn from: PCA and a deep autoencoder."""

from autoencoder.lecture.degrees_of_freedom import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
