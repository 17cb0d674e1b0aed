"""The job in Keras."""

import sys

import keras
import numpy
from keras.layers import Conv2D, Conv2DTranspose, Input

images = numpy.load(sys.argv[1])
train = images["train"][..., None].astype("float32") / 255
test = images["test"][..., None].astype("float32") / 255

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        Input((28, 28, 1)),
        Conv2D(32, 5, activation="relu"),
        Conv2D(32, 5, activation="relu"),
        Conv2D(32, 4, strides=2, activation="relu"),
        Conv2D(32, 3, strides=2, activation="relu"),
        Conv2D(8, 4),
        Conv2DTranspose(32, 4, activation="relu"),
        Conv2DTranspose(32, 3, strides=2, activation="relu"),
        Conv2DTranspose(32, 4, strides=2, activation="relu"),
        Conv2DTranspose(32, 5, activation="relu"),
        Conv2DTranspose(1, 5),
    ]
)
model.compile(keras.optimizers.Adam(1e-3), "mse")
model.fit(train, train, batch_size=100, epochs=1)

error = model.evaluate(test, test, batch_size=100)
print(f"{model.count_params()} parameters, test error {error:.5f}")
