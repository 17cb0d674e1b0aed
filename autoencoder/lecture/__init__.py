"""The sections of the lecture, one file each; `autoencoder.section` runs them."""
