# %% [markdown]
# # 9. The same lines on a GPU
#
# A tensor's arrays belong to NumPy or to CuPy, and every operation asks its arrays which: see
# `array_module` in `minigrad/backend/array_switch.py`. So nothing changes but one name. Where
# there is no GPU, the library says what is missing; it never falls back by itself, but a script
# may.

# %%
import time

import numpy

from autoencoder.models import AutoEncoder
from minigrad import Tensor, device, manual_seed, optim
from minigrad import functional as F
from minigrad.backend import one_blas_thread

places = ["cpu"]
try:
    device("cuda")
    places.append("cuda")
except RuntimeError as error:
    print(f"no GPU here: {error}\n")

images = numpy.random.default_rng(0).random((8, 1, 28, 28)).astype("float32")

# %% [markdown]
# Three training steps of the lecture's autoencoder on each device. Weights are drawn on the host,
# so both start from the same ones; `.item()` and `float()` wait for the device.

# %%
losses: dict[str, list[float]] = {}
for place in places:
    manual_seed(0)
    model = AutoEncoder(8).to(place)
    optimizer = optim.Adam(model.parameters())
    x = Tensor(images, device=place)
    found = []
    start = time.perf_counter()
    with one_blas_thread():
        for _ in range(3):
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
    taken = time.perf_counter() - start
    losses[place] = found
    kind = type(next(model.parameters()).data).__module__
    print(f"{x.device!s:8} arrays of {kind:6} losses", *(f"{value:.7f}" for value in found), end="")
    print(f"  {taken:.2f} s")

# %% [markdown]
# Equal up to rounding: sums are added in another order there.

# %%
apart = max(abs(a - b) for a, b in zip(losses["cpu"], losses[places[-1]]))
print(f"largest difference between {places[0]} and {places[-1]}: {apart:.1e}")
