"""Show the weakness of squared loss: where several answers fit, it gives their mean."""

from autoencoder.lecture.multimodal import section
from autoencoder.section import main

if __name__ == "__main__":
    raise SystemExit(main(section))
