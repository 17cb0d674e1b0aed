"""The sections of the lecture, one file each; `autoencoder.lecture.section` runs them."""
