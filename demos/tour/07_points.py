# %% [markdown]
# # 7. Training, on points in the plane
#
# Points near a curve, and an autoencoder with one latent: two numbers in, one in the middle, two
# out. It can only do well by finding a coordinate along the curve.

# %%
import numpy

from autoencoder.data.curves import s_curve
from autoencoder.figures import draw_curve, draw_points, draw_points_by_value, plane_figure, show
from autoencoder.models import MLPAutoEncoder
from minigrad import Tensor, manual_seed, no_grad, optim
from minigrad import functional as F

manual_seed(0)
points = s_curve(400, numpy.random.default_rng(0), noise_std=0.05)
model = MLPAutoEncoder(2, 64, 64, 1)
print(model)

# %% [markdown]
# The loop, in full. `backward` fills every parameter's `grad`, the optimiser reads it, and it is
# forgotten before the next step, because gradients add up.

# %%
x = Tensor(points)
optimizer = optim.Adam(model.parameters(), lr=3e-3)
print()
print(f"{'step':>6} {'loss':>10}")
for step in range(1_001):
    loss = F.mse_loss(model(x), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"{step:6} {loss.item():10.5f}")

# %% [markdown]
# The decoded latents trace a curve through the points, and the latent says where along it.

# %%
with no_grad():
    latents = model.encode(x).data
    line = numpy.linspace(latents.min(), latents.max(), 200, dtype="float32")[:, None]
    curve = model.decode(Tensor(line)).data
figure, (left, right) = plane_figure(["decoded latents", "the latent of each point"], limit=1.6)
draw_points(left, points)
draw_curve(left, curve)
draw_points_by_value(right, points, latents[:, 0], "latent")
show(figure, "runs/tour/07_points")
