"""A trained network for other libraries: PyTorch source with its weights, or an ONNX file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from autoencoder.classifier import Classifier
from autoencoder.commands.model import model_parser, refuse_or_raise, trained_model
from autoencoder.densities.variational import VariationalAutoEncoder
from autoencoder.lecture.command_line import OptionError, folder
from autoencoder.lecture.terminal import command
from autoencoder.models import AutoEncoder, Denoiser
from autoencoder.storage.files import atomic_write
from minigrad import nn

OPSET, IR_VERSION = 17, 8  # of 2022: later runtimes read them


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Export a network: status 1 if a file cannot be written, 2 if what was asked is wrong."""
    parser = model_parser("export", __doc__, "run")
    parser.add_argument("--to", choices=("torch", "onnx"), required=True)
    add = parser.add_argument
    add("--out", metavar="FOLDER", type=folder, default="exported", help="default: exported/")
    options = parser.parse_args(arguments)
    try:
        model = trained_model(options.run)
        if isinstance(model, VariationalAutoEncoder):
            model = model.plain()  # what there is to export: images to images
        if options.to == "torch":
            weights = io.BytesIO()
            arrays: dict[str, Any] = dict(model.state_dict())
            numpy.savez(weights, **arrays)
            files = {"network.py": torch_source(model).encode(), "network.npz": weights.getvalue()}
        else:
            files = {"network.onnx": onnx_model(model)}
        place = Path(options.out)
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            atomic_write(place / name, content)
            print(f"wrote {place / name}")
        if options.to == "torch":
            print("in Python, beside it: from network import load; model = load()")
    except Exception as error:
        return refuse_or_raise(parser, error)
    return 0


def torch_source(model: nn.Module) -> str:
    """The source of a PyTorch module like a network of this package, and of a function to load it.

    >>> print(torch_source(Denoiser()))  # doctest: +ELLIPSIS
    \"\"\"A Denoiser in PyTorch; its weights are in network.npz.\"\"\"
    ...
            self.layers = nn.Sequential(
                nn.Conv2d(1, 32, kernel_size=(5, 5), stride=(1, 1)),
    ...
    """
    name = type(model).__name__
    parts = []
    for attribute, part in model.named_children():
        if isinstance(part, nn.Sequential):
            layers = "".join(f"            nn.{layer!r},\n" for layer in part)
            parts.append(f"        self.{attribute} = nn.Sequential(\n{layers}        )\n")
        else:
            parts.append(f"        self.{attribute} = nn.{part!r}\n")
    return _TORCH.format(name=name, parts="".join(parts), methods=_methods(model))


def _methods(model: nn.Module) -> str:
    """The methods of the PyTorch module, by the kind of network."""
    if isinstance(model, Denoiser):
        bodies = {"forward(self, x)": "self.layers(x)"}
    elif isinstance(model, AutoEncoder):
        bodies = {
            "encode(self, x)": "self.encoder(x).flatten(1)",
            "decode(self, z)": "self.decoder(z[:, :, None, None])",
            "forward(self, x)": "self.decoder(self.encoder(x))",
        }
    elif isinstance(model, Classifier):
        bodies = {
            "features(self, x)": "self.body(x)",
            "forward(self, x)": "self.head(self.body(x))",
        }
    else:  # the networks of flat samples
        shape = ", ".join(map(str, vars(model)["sample_shape"]))
        bodies = {
            "encode(self, x)": "self.encoder(x.flatten(1))",
            "decode(self, z)": f"self.decoder(z).reshape(-1, {shape})",
            "forward(self, x)": "self.decode(self.encode(x))",
        }
    return "\n".join(f"    def {head}:\n        return {body}\n" for head, body in bodies.items())


_TORCH = '''"""A {name} in PyTorch; its weights are in network.npz."""

from pathlib import Path

import numpy
import torch
from torch import nn


class {name}(nn.Module):
    def __init__(self):
        super().__init__()
{parts}
{methods}

def load(path=Path(__file__).with_name("network.npz")):
    """The network with its trained weights."""
    model = {name}()
    with numpy.load(path) as arrays:
        model.load_state_dict({{name: torch.from_numpy(arrays[name]) for name in arrays.files}})
    return model.eval()
'''


def _steps(model: nn.Module) -> list[nn.Module]:
    """The layers of a network's forward pass, one after another."""
    parts = [part for _, part in model.named_children()]
    layers = [x for part in parts for x in (part if isinstance(part, nn.Sequential) else [part])]
    if isinstance(model, AutoEncoder | Denoiser | Classifier):
        return layers
    return [nn.Flatten(), *layers, nn.Unflatten(1, vars(model)["sample_shape"])]


def onnx_model(model: nn.Module) -> bytes:
    """A network of this package as an ONNX file: ``x`` of any number of samples in, ``y`` out.

    OptionError if the package onnx is not installed.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError:
        raise OptionError("ONNX needs the package onnx: pip install onnx") from None
    names = {id(layer): name for name, layer in model.named_modules()}
    nodes, weights, value = [], [], "x"
    steps = _steps(model)
    for number, layer in enumerate(steps, 1):
        result = "y" if number == len(steps) else f"value{number}"
        inputs = [value]
        for key in ("weight", "bias"):
            parameter = getattr(layer, key, None)
            if parameter is not None:
                inputs.append(f"{names[id(layer)]}.{key}")
                weights.append(numpy_helper.from_array(parameter.detach().numpy(), inputs[-1]))
        if isinstance(layer, nn.Unflatten):
            inputs.append("shape")
            shape = numpy.array([-1, *layer.unflattened_size], "int64")
            weights.append(numpy_helper.from_array(shape, "shape"))
        operation, attributes = _operation(layer)
        nodes.append(helper.make_node(operation, inputs, [result], **attributes))
        value = result
    taken = vars(model).get("sample_shape") or getattr(model, "sample_shape", None)
    given = taken = list(taken or (vars(model)["channels"], "height", "width"))
    if isinstance(model, Classifier):
        given = [model.head.out_features]
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        type(model).__name__,
        [helper.make_tensor_value_info("x", kind, ["N", *taken])],
        [helper.make_tensor_value_info("y", kind, ["N", *given])],
        weights,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    made = helper.make_model(graph, opset_imports=opsets, producer_name="minigrad")
    made.ir_version = IR_VERSION
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def _operation(layer: nn.Module) -> tuple[str, dict[str, Any]]:
    """The ONNX operation that a layer is, and its attributes."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        assert not isinstance(layer.padding, str)  # no network here pads by name
        attributes: dict[str, Any] = {
            "kernel_shape": layer.kernel_size,
            "strides": layer.stride,
            "pads": [*layer.padding, *layer.padding],
            "dilations": layer.dilation,
            "group": layer.groups,
        }
        if isinstance(layer, nn.ConvTranspose2d):
            return "ConvTranspose", {**attributes, "output_padding": layer.output_padding}
        return "Conv", attributes
    if isinstance(layer, nn.Linear):
        return "Gemm", {"transB": 1}
    plain = {nn.ReLU: "Relu", nn.Tanh: "Tanh", nn.Flatten: "Flatten", nn.Unflatten: "Reshape"}
    return plain[type(layer)], {}
