"""PCA on the whole of MNIST: the table the autoencoders are compared with."""

import pytest

from autoencoder.data.datasets import load
from autoencoder.metrics import mse_per_pixel
from autoencoder.pca import PCA

# Mean squared error a pixel on the 10,000 test images, fitted on the 60,000 (computed elsewhere).
TABLE = {2: 0.05567, 4: 0.04790, 8: 0.03744, 16: 0.02686, 32: 0.01683}


@pytest.mark.slow
def test_reconstruction_errors_on_mnist_agree_to_five_decimals():
    data = load()
    test = data.images("test")
    fitted = PCA(32).fit(data.images("train"))
    for latent_size, expected in TABLE.items():
        pca = fitted.truncate(latent_size)
        error = mse_per_pixel(pca.inverse_transform(pca.transform(test)), test)
        assert round(error, 5) == expected, latent_size
