"use strict";
/* Samples by each density of the ladder, decoded. */

const SAMPLES = 8; // of each density

function startSamples(laboratory) {
  const network = laboratory.network("autoencoder 8");
  let random = randomNumbers(0);
  const tasks = laboratory.densities().flatMap(({ name, density }) => {
    const row = make("div", { class: "lab-film", role: "group", "aria-label": name });
    find("ladder").append(make("p", {}, name), row);
    return Array.from({ length: SAMPLES }, (_, i) => {
      const canvas = row.appendChild(picture(`${name}, sample ${i + 1}`));
      return () => paint(canvas, decode(network, sampleDensity(density, random)));
    });
  });
  const show = inTurn(...tasks);
  let seed = 0;
  find("sample").addEventListener("click", () => {
    random = randomNumbers(++seed);
    show();
  });
  show();
}
