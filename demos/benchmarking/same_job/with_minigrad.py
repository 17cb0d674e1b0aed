"""The job in minigrad, with the training loop of its library for autoencoders."""

import sys

import numpy

import autoencoder
from autoencoder.models import count_parameters
from minigrad import manual_seed, nn

images = numpy.load(sys.argv[1])
train = images["train"][:, None].astype("float32") / 255
test = images["test"][:, None].astype("float32") / 255

manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(1, 32, 5), nn.ReLU()),
    *(nn.Conv2d(32, 32, 5), nn.ReLU()),
    *(nn.Conv2d(32, 32, 4, stride=2), nn.ReLU()),
    *(nn.Conv2d(32, 32, 3, stride=2), nn.ReLU()),
    nn.Conv2d(32, 8, 4),
    *(nn.ConvTranspose2d(8, 32, 4), nn.ReLU()),
    *(nn.ConvTranspose2d(32, 32, 3, stride=2), nn.ReLU()),
    *(nn.ConvTranspose2d(32, 32, 4, stride=2), nn.ReLU()),
    *(nn.ConvTranspose2d(32, 32, 5), nn.ReLU()),
    nn.ConvTranspose2d(32, 1, 5),
)
settings = autoencoder.TrainingSettings(epochs=1, batch_size=100, learning_rate=1e-3)
autoencoder.train(model, train, settings)

error = autoencoder.mse_per_pixel(autoencoder.reconstruct(model, test), test)
print(f"{count_parameters(model)} parameters, test error {error:.5f}")
