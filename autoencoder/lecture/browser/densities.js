"use strict";
/* Samples of the ladder's densities over the latents; autoencoder/densities derives each.

   `random.uniform()` gives numbers from 0 to 1, `random.normal()` of mean 0 and variance 1. */

/** Random numbers from a seed, by Marsaglia's xorshift; normal ones as Box and Muller make them. */
function randomNumbers(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((Math.imul(state, 0x9e3779b1) >>> 0) + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

/** A point of a mixture of Gaussians: choose component k, then m_k + L_k e with L_k L_k' = C_k. */
function sampleMixture({ weights, means, factors }, random) {
  let rest = random.uniform();
  let k = 0;
  while (k < weights.length - 1 && rest >= weights[k]) rest -= weights[k++];
  const d = means.length / weights.length;
  const noise = Float64Array.from({ length: d }, random.normal);
  return noise.map((_, i) => {
    let value = means[k * d + i];
    for (let j = 0; j <= i; j++) value += factors[(k * d + i) * d + j] * noise[j];
    return value;
  });
}

/** A sample of a latent diffusion: noise followed backwards from angle pi/2 to 0.

    In a step of angle h, z(a - h) = cos(h) z - sin(h) v, where the network says v = E[v | z, a]. */
function sampleDiffusion({ layers, frequencies, steps, mean, std }, random) {
  let z = Float64Array.from({ length: mean.length }, random.normal);
  const h = Math.PI / 2 / steps;
  for (let i = 0; i < steps; i++) {
    const angle = Math.PI / 2 - i * h;
    const waves = [];
    for (let k = 1; k <= frequencies; k++) waves.push(Math.cos(k * angle), Math.sin(k * angle));
    const v = forward(layers, pixel(Float64Array.from([...z, ...waves]))).values;
    z = z.map((value, j) => Math.cos(h) * value - Math.sin(h) * v[j]);
  }
  return z.map((value, j) => mean[j] + std[j] * value);
}

function sampleDensity(density, random) {
  return (density.kind === "mixture" ? sampleMixture : sampleDiffusion)(density, random);
}

/** A density with its parameters as numbers. */
function unpackDensity(packed) {
  const parameters = Object.entries(packed).map(([name, value]) => {
    if (name === "layers") return [name, unpackLayers(value)];
    return [name, value.data === undefined ? value : unpack(value)];
  });
  return Object.fromEntries(parameters);
}
