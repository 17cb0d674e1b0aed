"use strict";
/* A digit drawn by hand: reconstructed, noised and denoised, half erased and restored. */

const STEP = 10; // units of the pad that an arrow key moves the pen

function startDrawn(laboratory) {
  const pad = find("pad");
  let strokes = [];
  let clean = laboratory.digits()[3].pixels;
  let isTestImage = true;
  let noise = noiseOf(1);
  let seed = 1;
  let deviation = 0.5;
  let side = "left";
  let pen = [PAD / 2, PAD / 2]; // of the keyboard
  let isDown = false;

  const shown = {};
  const put = (name, pixels, mask, said) => {
    shown[name] ??= find(name).appendChild(picture(find(name).dataset.label));
    paint(shown[name], pixels, mask);
    if (said) find(`${name}-said`).textContent = said;
  };
  const reconstructed = (d) => () => {
    const result = reconstruct(laboratory.network(`autoencoder ${d}`), clean);
    put(`through-${d}`, result, null, `error ${meanSquare(result, clean).toFixed(3)}`);
  };
  const denoised = (name) => () => {
    const noisy = clean.map((value, i) => value + deviation * noise[i]);
    const result = reconstruct(laboratory.network(name), noisy);
    put("noisy", noisy, null, `${decibels(noisy, clean).toFixed(1)} dB`);
    put(name, result, null, `${decibels(result, clean).toFixed(1)} dB`);
  };
  const restored = () => {
    const isErased = [...clean.keys()].map((i) => erases(side, i % SIDE, Math.floor(i / SIDE)));
    const seen = clean.map((value, i) => (isErased[i] ? laboratory.fill : value));
    const guess = reconstruct(laboratory.network("restorer"), seen);
    put("erased", clean, isErased);
    put("restored", clean.map((value, i) => (isErased[i] ? guess[i] : value)));
  };
  const input = () => put("clean", clean);
  const noises = [denoised("denoiser"), denoised("denoiser-wide")];
  const showAll = inTurn(input, reconstructed(2), reconstructed(8), ...noises, restored);
  const showNoise = inTurn(...noises);
  const showRestored = inTurn(restored);

  function changed() {
    isTestImage = false;
    clean = digitOf(strokes);
    drawPad();
    showAll();
    press(buttons, null);
  }

  function drawPad() {
    const context = pad.getContext("2d");
    context.fillStyle = "black";
    context.fillRect(0, 0, PAD, PAD);
    if (isTestImage) {
      context.imageSmoothingEnabled = false;
      const small = picture("");
      paint(small, clean);
      context.drawImage(small, 0, 0, PAD, PAD);
    }
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = "white";
    context.lineWidth = 20;
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      stroke.forEach((place) => context.lineTo(...place));
      context.stroke();
    }
    if (document.activeElement === pad && pad.matches(":focus-visible")) drawPen(context);
  }

  function drawPen(context) {
    context.strokeStyle = isDown ? "#e8832a" : "#4e8fd0";
    context.lineWidth = 4;
    context.beginPath();
    context.arc(...pen, 12, 0, 2 * Math.PI);
    context.stroke();
  }

  function begin(place) {
    if (isTestImage) strokes = [];
    strokes.push([place]);
    changed();
  }

  function goOn(place) {
    strokes[strokes.length - 1].push(place);
    changed();
  }

  const placeOf = (event) => {
    const box = pad.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * PAD,
      ((event.clientY - box.top) / box.height) * PAD,
    ];
  };
  let pointer = null; // the finger or mouse that draws: a second finger is not the same stroke
  pad.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    pad.setPointerCapture(pointer);
    isDown = false;
    begin(placeOf(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) goOn(placeOf(event));
  });
  const lift = (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    laboratory.draw(clean);
  };
  pad.addEventListener("pointerup", lift);
  pad.addEventListener("pointercancel", lift);

  pad.addEventListener("keydown", (event) => {
    const move = ARROWS[event.key];
    if (move) {
      pen = pen.map((p, i) => Math.min(PAD - STEP, Math.max(STEP, p + STEP * move[i])));
      if (isDown) goOn(pen);
      drawPad();
    } else if (event.key === " ") {
      isDown = !isDown;
      if (isDown) begin(pen);
      else laboratory.draw(clean);
      drawPad();
    } else {
      return;
    }
    event.preventDefault();
  });
  pad.addEventListener("focus", drawPad);
  pad.addEventListener("blur", drawPad);

  const take = (newStrokes) => {
    strokes = newStrokes;
    isDown = false;
    changed();
    laboratory.draw(strokes.length ? clean : null);
  };
  find("undo").addEventListener("click", () => take(isTestImage ? [] : strokes.slice(0, -1)));
  find("clear").addEventListener("click", () => take([]));
  const testImages = laboratory.digits().filter(({ label }) => label !== null);
  const buttons = strip(find("drawn-from"), testImages, ({ pixels }, button) => {
    [strokes, clean, isTestImage, isDown] = [[], pixels, true, false];
    drawPad();
    showAll();
    press(buttons, button);
  });

  const range = { name: "noise σ", low: 0, high: 1.5, value: deviation };
  slider(find("noise"), range, (value) => {
    deviation = value;
    showNoise();
  });
  find("other-noise").addEventListener("click", () => {
    noise = noiseOf(++seed);
    showNoise();
  });
  choice("half", (chosen) => {
    side = chosen;
    showRestored();
  });
  press(buttons, buttons[3]);
  drawPad();
  showAll();
}

/** Standard normal noise for each pixel. */
function noiseOf(seed) {
  return Float64Array.from({ length: SIDE * SIDE }, randomNumbers(seed).normal);
}

/** Whether the half on a side is the one with column x and row y, as autoencoder's EraseHalf. */
function erases(side, x, y) {
  const middle = SIDE / 2;
  return { left: x < middle, right: x >= middle, top: y < middle, bottom: y >= middle }[side];
}
