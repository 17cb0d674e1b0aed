"""The job in pythae, a library of autoencoders on PyTorch."""

import sys
import tempfile

import numpy
import torch
from pythae.models import AE, AEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
from torch import nn

images = numpy.load(sys.argv[1])
train = images["train"][:, None].astype("float32") / 255
test = torch.from_numpy(images["test"][:, None].astype("float32") / 255)


class Encoder(BaseEncoder):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 32, 5), nn.ReLU()),
            *(nn.Conv2d(32, 32, 5), nn.ReLU()),
            *(nn.Conv2d(32, 32, 4, stride=2), nn.ReLU()),
            *(nn.Conv2d(32, 32, 3, stride=2), nn.ReLU()),
            *(nn.Conv2d(32, 8, 4), nn.Flatten()),
        )

    def forward(self, x):
        return ModelOutput(embedding=self.layers(x))


class Decoder(BaseDecoder):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Unflatten(1, (8, 1, 1)), nn.ConvTranspose2d(8, 32, 4), nn.ReLU()),
            *(nn.ConvTranspose2d(32, 32, 3, stride=2), nn.ReLU()),
            *(nn.ConvTranspose2d(32, 32, 4, stride=2), nn.ReLU()),
            *(nn.ConvTranspose2d(32, 32, 5), nn.ReLU()),
            nn.ConvTranspose2d(32, 1, 5),
        )

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z))


torch.manual_seed(0)
model = AE(AEConfig(input_dim=(1, 28, 28), latent_dim=8), encoder=Encoder(), decoder=Decoder())
settings = BaseTrainerConfig(
    output_dir=tempfile.mkdtemp(),
    num_epochs=1,
    learning_rate=1e-3,
    per_device_train_batch_size=100,
    optimizer_cls="Adam",
)
TrainingPipeline(model=model, training_config=settings)(train_data=train)

with torch.inference_mode():
    restored = torch.cat([model.reconstruct(batch) for batch in test.split(100)])
error = nn.functional.mse_loss(restored, test)
parameters = sum(parameter.numel() for parameter in model.parameters())
print(f"{parameters} parameters, test error {error:.5f}")
