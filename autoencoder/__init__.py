"""The autoencoder lecture: data, models, corruption, densities, metrics, training and figures."""
