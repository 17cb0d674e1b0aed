"""The job in PyTorch, with the loop of its tutorials."""

import sys

import numpy
import torch
from torch import nn

images = numpy.load(sys.argv[1])
train = torch.from_numpy(images["train"][:, None].astype("float32") / 255)
test = torch.from_numpy(images["test"][:, None].astype("float32") / 255)

torch.manual_seed(0)
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
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for batch in train[torch.randperm(len(train))].split(100):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(batch), batch)
    loss.backward()
    optimizer.step()

with torch.inference_mode():
    restored = torch.cat([model(batch) for batch in test.split(100)])
error = nn.functional.mse_loss(restored, test)
parameters = sum(parameter.numel() for parameter in model.parameters())
print(f"{parameters} parameters, test error {error:.5f}")
