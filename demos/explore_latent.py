"""Move an autoencoder's latents by hand and watch what is decoded."""

from autoencoder.lecture.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.lecture.explore_latent"))
