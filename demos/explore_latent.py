"""Move an autoencoder's latents by hand and watch what is decoded."""

from autoencoder.terminal import start

if __name__ == "__main__":
    raise SystemExit(start("autoencoder.explore_latent"))
