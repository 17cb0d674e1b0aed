"use strict";
/* The forward pass of the lecture's networks, for one image.

   It mirrors autoencoder/models.py, whose layers are those of minigrad/nn: Conv2d, ConvTranspose2d,
   Linear, ReLU. minigrad's layout is (N, C, H, W); here an image is
   { height, width, channels, values }, and the channels of a pixel lie side by side:

       values[(y * width + x) * channels + c]

   So the innermost loop of each convolution runs over neighbours in memory. Weights come in the
   order in which that loop meets them (laboratory.py turns them), numbers are float64. */

/** A window slides over the image; its numbers, weighted, add up to those of one pixel:

    result[y, x, o] = bias[o] + sum over v, u, c of
                      weight[v, u, c, o] * image[y * stride + v, x * stride + u, c] */
function conv2d(image, { size, stride, outputs, weight, bias }) {
  const { height, width, channels, values } = image;
  const rows = Math.floor((height - size) / stride) + 1;
  const columns = Math.floor((width - size) / stride) + 1;
  const result = new Float64Array(rows * columns * outputs);
  const across = size * channels; // numbers in a row of the window: they lie side by side
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const to = (y * columns + x) * outputs;
      result.set(bias, to);
      for (let v = 0; v < size; v++) {
        const from = ((y * stride + v) * width + x * stride) * channels;
        for (let k = 0; k < across; k++) {
          const value = values[from + k];
          if (value === 0) continue; // what ReLU has cut off, about half of it all
          const w = (v * across + k) * outputs;
          for (let o = 0; o < outputs; o++) result[to + o] += value * weight[w + o];
        }
      }
    }
  }
  return { height: rows, width: columns, channels: outputs, values: result };
}

/** The way back: each number of the image is spread over a window of the result:

    result[y * stride + v, x * stride + u, o] += weight[c, v, u, o] * image[y, x, c] */
function convTranspose2d(image, { size, stride, outputs, weight, bias }) {
  const { height, width, channels, values } = image;
  const rows = (height - 1) * stride + size;
  const columns = (width - 1) * stride + size;
  const result = new Float64Array(rows * columns * outputs);
  for (let to = 0; to < result.length; to += outputs) result.set(bias, to);
  const across = size * outputs;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        const value = values[(y * width + x) * channels + c];
        if (value === 0) continue;
        for (let v = 0; v < size; v++) {
          const to = ((y * stride + v) * columns + x * stride) * outputs;
          const w = (c * size + v) * across;
          for (let k = 0; k < across; k++) result[to + k] += value * weight[w + k];
        }
      }
    }
  }
  return { height: rows, width: columns, channels: outputs, values: result };
}

/** A fully connected layer is a convolution of one pixel: W x + b. */
function linear(image, layer) {
  return conv2d(image, { size: 1, stride: 1, ...layer });
}

function relu(image) {
  return { ...image, values: image.values.map((value) => Math.max(value, 0)) };
}

const LAYERS = { Conv2d: conv2d, ConvTranspose2d: convTranspose2d, Linear: linear, ReLU: relu };

/** Numbers through the layers of a network, one after another. */
function forward(layers, image) {
  return layers.reduce((x, layer) => LAYERS[layer.kind](x, layer), image);
}

/** A vector as an image of one pixel. */
function pixel(values) {
  return { height: 1, width: 1, channels: values.length, values };
}

/** An autoencoder's f: the 784 pixels of a digit to d latents. */
function encode(network, pixels) {
  return forward(network.encoder, { height: 28, width: 28, channels: 1, values: pixels }).values;
}

/** An autoencoder's g: d latents to the 784 pixels of a digit. */
function decode(network, latents) {
  return forward(network.decoder, pixel(latents)).values;
}

/** What a network makes of a digit: g(f(x)); a network without a bottleneck is an encoder alone. */
function reconstruct(network, pixels) {
  const hidden = { height: 28, width: 28, channels: 1, values: pixels };
  return forward([...network.encoder, ...network.decoder], hidden).values;
}

/** Numbers out of base64. Half precision has a sign, 5 bits of exponent and 10 of fraction. */
function unpack({ type, data }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  if (type === "uint8") return Float64Array.from(bytes);
  if (type === "float32") {
    return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  }
  const numbers = new Float64Array(bytes.length / 2);
  for (let i = 0; i < numbers.length; i++) {
    const bits = view.getUint16(2 * i, true);
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    numbers[i] = sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
  }
  return numbers;
}

/** A network's layers with their weights as numbers; `packed` is what laboratory.py wrote. */
function unpackLayers(packed) {
  return packed.map((layer) =>
    layer.weight ? { ...layer, weight: unpack(layer.weight), bias: unpack(layer.bias) } : layer,
  );
}

function unpackNetwork({ encoder, decoder }) {
  return { encoder: unpackLayers(encoder), decoder: unpackLayers(decoder) };
}
