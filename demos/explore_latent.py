"""Move an autoencoder's latents by hand and watch what is decoded."""

from autoencoder.explore_latent import main

if __name__ == "__main__":
    raise SystemExit(main())
