# %% [markdown]
# # 1. The chain rule, by hand
#
# One neuron: `y = tanh(w x + b)`, and how far it is from a target, `loss = (y - t)^2`. How does the
# loss change when `w` or `b` does?

# %%
import math

from minigrad import Tensor

x, t = 2.0, 0.5  # the data
w, b = -0.3, 1.0  # what is to be learnt

# %% [markdown]
# Forward: one step after the other, keeping every value.

# %%
u = w * x  # -0.6
v = u + b  # 0.4
y = math.tanh(v)
e = y - t
loss = e * e

# %% [markdown]
# Backward: start with `d loss / d loss = 1` and go back through the same steps. Each multiplies by
# its own derivative; nothing else has to be known about the rest.

# %%
d_loss = 1.0
d_e = d_loss * 2 * e  # loss = e^2
d_y = d_e * 1  # e = y - t
d_v = d_y * (1 - y * y)  # y = tanh v
d_u = d_v * 1  # v = u + b
d_b = d_v * 1
d_w = d_u * x  # u = w x

# %% [markdown]
# The engine does the same. Every operation on a tensor that requires gradients is recorded;
# `backward` goes back through the record. Set a breakpoint in `walk`, in
# `minigrad/engine/backward.py`, and see these lines happen.

# %%
w_tensor = Tensor(w, requires_grad=True, dtype="float64")
b_tensor = Tensor(b, requires_grad=True, dtype="float64")
error = (w_tensor * x + b_tensor).tanh() - t
(error * error).backward()

# %% [markdown]
# A third way, which knows nothing of derivatives: change the number a little, and look.


# %%
def loss_at(w: float, b: float) -> float:
    return (math.tanh(w * x + b) - t) ** 2


h = 1e-6
by_difference = {
    "w": (loss_at(w + h, b) - loss_at(w - h, b)) / (2 * h),
    "b": (loss_at(w, b + h) - loss_at(w, b - h)) / (2 * h),
}

# %%
print(f"{'':8} {'by hand':>14} {'backward':>14} {'difference':>14}")
for name, by_hand, tensor in (("w", d_w, w_tensor), ("b", d_b, b_tensor)):
    backward = tensor.grad.item()
    print(f"dloss/d{name} {by_hand:14.10f} {backward:14.10f} {by_difference[name]:14.10f}")
