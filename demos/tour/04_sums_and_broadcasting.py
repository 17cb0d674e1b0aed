# %% [markdown]
# # 4. Why gradients are added, and how broadcasting is undone
#
# A tensor used twice reaches the loss along two ways. A small change of it changes the loss along
# both, and the changes add up: so do the gradients.

# %%
import numpy

from autoencoder.figures import new_figure, show
from minigrad import Tensor, trace_backward

x = Tensor(3.0, requires_grad=True)
loss = x * x + 5 * x  # x is taken three times

print("gradients on their way to x, where x = 3 and loss = x x + 5 x:")
for step in trace_backward(loss, names={"x": x}):
    for gradient, where in zip(step.input_gradients, step.destinations):
        if where == "x" and gradient is not None:
            print(f"  from {step.name:6} {gradient.item():4.0f}")
print(f"  in all      {x.grad.item():4.0f}   (2 x + 5 = 11)")

# %% [markdown]
# The engine keeps the first gradient that arrives and adds the others: `add_arrived` in
# `minigrad/engine/backward.py`. That is also why `.grad` must be forgotten between training steps:
# it adds up over calls of `backward`, too.
#
# Broadcasting is the same thing in disguise. A bias of shape (3,) added to four rows is used four
# times. Its gradient is the sum over the four rows.

# %%
rows = Tensor(numpy.zeros((4, 3)), requires_grad=True)
bias = Tensor(numpy.zeros(3), requires_grad=True)
weights = Tensor(numpy.arange(12.0).reshape(4, 3))
((rows + bias) * weights).sum().backward()

print()
print(f"gradient of the rows {rows.grad.shape}:\n{rows.grad.data}")
print(f"gradient of the bias {bias.grad.shape}, its sum over the rows:\n{bias.grad.data}")

# %% [markdown]
# No operation does this itself: `Add` returns the gradient of shape (4, 3) for both inputs, and the
# engine sums it down to the shape of the input. Once, for all operations, in
# `minigrad/engine/backward.py`. Here for all the ways a
# shape can be broadcast to (4, 3):

# %%
print()
print(f"{'input':8} {'summed over':14} gradient of a sum of ones")
for shape, axes in (((4, 3), "nothing"), ((3,), "rows"), ((4, 1), "columns"), ((), "everything")):
    repeated = Tensor(numpy.ones(shape), requires_grad=True)
    (repeated + numpy.zeros((4, 3))).sum().backward()
    print(f"{shape!s:8} {axes:14} {repeated.grad.data.tolist()}")

# %% [markdown]
# The picture: the gradient that arrives, and what is left of it for the bias.

# %%
figure, axes = new_figure(1, 2, height=4.5, title="Undoing broadcasting: a sum over rows")
for panel, values, name in zip(
    axes[0], (rows.grad.data, bias.grad.data[None]), ("arriving (4, 3)", "for the bias (3,)")
):
    panel.imshow(values, cmap="Blues", vmin=0, vmax=30)
    panel.set(title=name, xticks=[], yticks=[])
    panel.set_ylim(3.5, -0.5)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    for (row, column), value in numpy.ndenumerate(values):
        colour = "white" if value > 20 else "black"
        panel.text(column, row, f"{value:g}", ha="center", va="center", fontsize=20, color=colour)
show(figure, "runs/tour/04_broadcasting")
