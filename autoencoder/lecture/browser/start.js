"use strict";
/* What the pieces compute with, unpacked when it is first needed; and their start. */

function laboratoryOf(packed) {
  const kept = new Map();
  const remembered = (key, compute) => {
    if (!kept.has(key)) kept.set(key, compute());
    return kept.get(key);
  };
  const readers = []; // of the digit drawn by hand
  let own = null;
  const testImages = () => {
    const pixels = unpack(packed.digits.pixels).map((value) => value / 255);
    return packed.digits.labels.map((label, n) => {
      return { label, pixels: pixels.slice(784 * n, 784 * (n + 1)) };
    });
  };
  return {
    fill: packed.fill, // what an erased pixel becomes before it is restored
    network: (name) => remembered(name, () => unpackNetwork(packed.networks[name])),
    densities: () =>
      remembered("densities", () =>
        packed.densities.map(({ name, density }) => ({ name, density: unpackDensity(density) })),
      ),
    latents: (d) =>
      remembered(`latents ${d}`, () => {
        const { values, labels, low, high, mean } = packed.latents[d];
        return { d, values: unpack(values), labels: [...unpack(labels)], low, high, mean };
      }),
    /** Digits to choose from: test images, and the one drawn by hand if there is one. */
    digits: () => {
      const drawn = own ? [{ label: null, pixels: own }] : [];
      return [...remembered("digits", testImages), ...drawn];
    },
    draw: (pixels) => {
      own = pixels;
      readers.forEach((read) => read());
    },
    whenDrawn: (read) => readers.push(read),
  };
}

function startLaboratory() {
  const laboratory = laboratoryOf(JSON.parse(find("data").textContent));
  const pieces = {
    latents: startLatents,
    drawn: startDrawn,
    walk: startWalk,
    samples: startSamples,
  };
  for (const [name, start] of Object.entries(pieces)) {
    whenSeen(find(name), () => start(laboratory));
  }
}
