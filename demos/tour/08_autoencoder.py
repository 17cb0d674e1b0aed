# %% [markdown]
# # 8. The lecture's autoencoder, layer by layer
#
# Five convolutions take an image of 28 x 28 pixels to d numbers; five transposed convolutions take
# them back. Everything of the last seven scripts is in it, and nothing else.

# %%
import numpy

from autoencoder.data.datasets import load
from autoencoder.figures import rows_of_images, show
from autoencoder.inference import reconstruct
from autoencoder.models import AutoEncoder
from autoencoder.training import TrainingSettings, train
from minigrad import Tensor, graph, manual_seed, no_grad
from minigrad import functional as F

manual_seed(0)
digits = load("mnist")
images = digits.images("train")[:1_000]
model = AutoEncoder(latent_size=8)

# %% [markdown]
# One image on its way: how its shape changes, and what each layer has to learn.

# %%
print(f"{'layer':28} {'output':>16} {'parameters':>12}")
x = Tensor(images[:1])
print(f"{'image':28} {x.shape!s:>16}")
with no_grad():
    for half in ("encoder", "decoder"):
        for name, layer in getattr(model, half).named_children():
            x = layer(x)
            count = sum(parameter.size for parameter in layer.parameters())
            title = f"{half}.{name} {type(layer).__name__}"
            print(f"{title:28} {x.shape!s:>16} {count or '':>12}")
print(f"{'in all':28} {'':16} {sum(p.size for p in model.parameters()):12}")

# %% [markdown]
# Its graph, folded layer by layer to fit a slide, and further, to its two halves.

# %%
batch, target = Tensor(images[:4]), Tensor(images[:4])
loss = F.mse_loss(model(batch), target)
loss.backward(retain_graph=True)
names = {"images": batch, "target": target}
show(graph.draw(loss, model=model, names=names).figure(), "runs/tour/08_layers")
show(graph.draw(loss, model=model, names=names, fold=1).figure(), "runs/tour/08_halves")

# %% [markdown]
# A short training, on few digits: the loop of the last script, in shards on all cores. The whole
# thing, on all of them, is `python demos/train_autoencoder.py`.

# %%
model.zero_grad()
settings = TrainingSettings(epochs=2, batch_size=4, learning_rate=5e-4)
rows = train(model, images, settings, quiet=True)
for row in rows:
    print(f"epoch {row['epoch']}: mean squared error a pixel {row['train_loss']:.4f}")
shown = digits.images("test")[:10]
decoded = reconstruct(model, shown)
blank = float(numpy.mean((shown - images.mean(axis=0)) ** 2))
print(f"ten test digits: {numpy.mean((shown - decoded) ** 2):.4f}, by the mean image {blank:.4f}")
show(rows_of_images([shown, decoded], ["digit", "decoded"]), "runs/tour/08_decoded")
