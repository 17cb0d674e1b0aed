"use strict";
/* Latents turned by hand: sliders, at d = 2 a plane too, and what the decoder makes of them. */

function startLatents(laboratory) {
  CLASSES.forEach((tint, digit) => {
    const name = make("b", { style: `color: ${tint}` }, String(digit));
    find("legend").append(name, digit < 9 ? ", " : "");
  });
  const decoded = picture("what the decoder makes of the latents");
  find("decoded").replaceChildren(decoded);
  const plane = find("plane");
  let buttons = [];
  let known; // latents of test images: { d, values, labels, low, high, mean }
  let z;
  let sliders;

  const show = inTurn(() => {
    const network = laboratory.network(`autoencoder ${known.d}`);
    const started = performance.now();
    paint(decoded, decode(network, z));
    find("decoded-in").textContent = `${(performance.now() - started).toFixed(0)} ms`;
  });

  function moveTo(latents, button = null) {
    press(buttons, button);
    z = Float64Array.from(latents);
    sliders.forEach((each, i) => each.set(z[i]));
    if (known.d === 2) drawPlane(plane, known, z);
    show();
  }

  function choose(d) {
    known = laboratory.latents(d);
    plane.hidden = known.d !== 2;
    const strips = Array.from({ length: known.d }, () => make("canvas", { "aria-hidden": "true" }));
    find("sliders").replaceChildren();
    sliders = strips.map((canvas, i) => {
      const range = { low: known.low[i], high: known.high[i], value: known.mean[i] };
      const name = `z${String.fromCharCode(0x2081 + i)}`; // a small number, below the line
      return slider(find("sliders"), { name, ...range, above: [canvas] }, (value) => {
        z[i] = value;
        moveTo(z);
      });
    });
    strips.forEach((canvas, i) => drawStrip(canvas, known, i));
    moveTo(known.mean);
  }

  const fill = () => {
    buttons = strip(find("latents-from"), laboratory.digits(), ({ pixels }, button) => {
      moveTo(encode(laboratory.network(`autoencoder ${known.d}`), pixels), button);
    });
  };
  fill();
  laboratory.whenDrawn(fill);

  const redraw = () => {
    [...find("sliders").querySelectorAll("canvas")].forEach((c, i) => drawStrip(c, known, i));
    if (known.d === 2) drawPlane(plane, known, z);
  };
  window.addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  const point = (event) => {
    const box = plane.getBoundingClientRect();
    const right = (event.clientX - box.left) / box.width;
    const up = (box.bottom - event.clientY) / box.height;
    moveTo([right, up].map((share, i) => between(known, i, Math.min(1, Math.max(0, share)))));
  };
  plane.addEventListener("pointerdown", (event) => {
    plane.setPointerCapture(event.pointerId);
    point(event);
  });
  plane.addEventListener("pointermove", (event) => {
    if (event.buttons) point(event);
  });
  plane.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    const [right, down] = ARROWS[event.key];
    moveTo([right, -down].map((step, i) => {
      const moved = z[i] + (step * (known.high[i] - known.low[i])) / 50;
      return Math.min(known.high[i], Math.max(known.low[i], moved));
    }));
  });
  choice("d", (d) => choose(Number(d)));
  choose(2);
}

/** The latent at a share of the way from the lowest to the highest. */
function between(known, i, share) {
  return known.low[i] + share * (known.high[i] - known.low[i]);
}

/** Where the test images lie along one latent, a row for each digit. */
function drawStrip(canvas, known, i) {
  const { context, width, height } = sharp(canvas);
  known.labels.forEach((label, n) => {
    const share = (known.values[n * known.d + i] - known.low[i]) / (known.high[i] - known.low[i]);
    context.fillStyle = CLASSES[label];
    context.fillRect(share * width - 1, (label * height) / 10, 2, height / 10);
  });
}

/** The plane of two latents: the test images, coloured by digit, and a cross at z. */
function drawPlane(canvas, known, z) {
  const { context, width, height } = sharp(canvas);
  const place = (latents) => {
    const [x, y] = latents.map((v, i) => (v - known.low[i]) / (known.high[i] - known.low[i]));
    return [x * width, (1 - y) * height];
  };
  context.globalAlpha = 0.6;
  known.labels.forEach((label, n) => {
    const [x, y] = place([known.values[2 * n], known.values[2 * n + 1]]);
    context.fillStyle = CLASSES[label];
    context.fillRect(x - 1.5, y - 1.5, 3, 3);
  });
  context.globalAlpha = 1;
  const [x, y] = place([...z]);
  for (const [style, thickness] of [["--page", 6], ["--text", 2.5]]) {
    context.strokeStyle = colour(style);
    context.lineWidth = thickness;
    context.beginPath();
    context.moveTo(x - 12, y);
    context.lineTo(x + 12, y);
    context.moveTo(x, y - 12);
    context.lineTo(x, y + 12);
    context.stroke();
  }
}
