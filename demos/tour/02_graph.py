# %% [markdown]
# # 2. The graph
#
# What was recorded in the first script is a graph: operations pointing at the tensors they took,
# tensors pointing at the operation that made them. Here it is, for the same neuron.

# %%
from autoencoder.figures import show
from minigrad import Tensor, graph, trace_backward
from minigrad.graph.trace import format_trace

w = Tensor(-0.3, requires_grad=True)
b = Tensor(1.0, requires_grad=True)
total = w * 2.0 + b
error = total.tanh() - 0.5
loss = error * error

# %% [markdown]
# The record is in plain attributes. `grad_fn` is the operation that made a tensor, its `inputs` are
# the tensors it took: follow them, and you walk the graph. An operation whose
# backward reads its result only, like `tanh`, lets go of its input's memory:
# there the walk goes on with `total`, which this script has kept itself.

# %%
print(error.grad_fn.inputs[0].grad_fn.inputs[0])
tensor = loss
while tensor.grad_fn is not None:
    operation = tensor.grad_fn
    print(f"{operation.name:8} took {len(operation.inputs)} and made {tensor.item():.6g}")
    tensor = operation.inputs[0]
    if tensor.grad_fn is total.grad_fn:
        tensor = total

# %% [markdown]
# The same, drawn. `error` is taken twice by the multiplication, so two lines lead there. Neither
# `w` nor `b` has a gradient yet.

# %%
names = {"w": w, "b": b}
show(graph.draw(loss, names=names).figure(), "runs/tour/02_graph_before")

# %% [markdown]
# Backward, one operation at a time. This iterator runs the very loop that `loss.backward()` runs;
# the last column says where to set a breakpoint. `retain_graph` keeps the graph, to draw it again.

# %%
print()
print(format_trace(trace_backward(loss, retain_graph=True, names=names)))
show(graph.draw(loss, names=names).figure(), "runs/tour/02_graph_after")

# %% [markdown]
# Look at `runs/tour/02_graph_before.png` and `02_graph_after.png`: the gradients of the first
# script now stand in the boxes of `w` and `b`.
