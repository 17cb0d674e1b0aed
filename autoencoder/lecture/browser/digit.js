"use strict";
/* A digit drawn by hand as MNIST has its digits: fitted into 20 x 20 pixels, grey at the edges, and
   put into 28 x 28 so that its centre of mass is in the middle. */

const SIDE = 28; // pixels of an image
const BOX = 20; // pixels that the longer side of a digit takes
const FINE = 5; // places looked at along a side of a pixel: 25 shades
const PEN = 2.6; // pixels that a stroke is wide, about as in MNIST
const PAD = 280; // units of a stroke's points along a side of the pad
const DOT = 6; // units: what is smaller has no size to fit

/** Strokes, lists of points [x, y] in units of the pad, to the 784 pixels of an image. */
function digitOf(strokes) {
  const points = strokes.flat();
  if (!points.length) return new Float64Array(SIDE * SIDE);
  const low = [0, 1].map((axis) => Math.min(...points.map((point) => point[axis])));
  const high = [0, 1].map((axis) => Math.max(...points.map((point) => point[axis])));
  const extent = Math.max(high[0] - low[0], high[1] - low[1]);
  const scale = extent < DOT ? 0 : (BOX - PEN) / extent;
  const middle = [0, 1].map((axis) => (low[axis] + high[axis]) / 2);
  const fitted = strokes.map((stroke) =>
    stroke.map((point) => point.map((p, axis) => (p - middle[axis]) * scale + SIDE / 2)),
  );
  return centred(inked(fitted));
}

/** Strokes in pixels to the share of each pixel that lies within half a pen of them. */
function inked(strokes) {
  const fine = SIDE * FINE;
  const isInk = new Uint8Array(fine * fine);
  const radius = (PEN / 2) * FINE;
  for (const stroke of strokes) {
    stroke.forEach((point, i) => {
      const [ax, ay] = stroke[Math.max(i - 1, 0)].map((p) => p * FINE);
      const [bx, by] = point.map((p) => p * FINE);
      const length = (bx - ax) ** 2 + (by - ay) ** 2;
      const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - radius));
      const last = (a, b) => Math.min(fine - 1, Math.ceil(Math.max(a, b) + radius));
      for (let y = first(ay, by); y <= last(ay, by); y++) {
        for (let x = first(ax, bx); x <= last(ax, bx); x++) {
          // The nearest place of the segment from a to b.
          const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
          const share = length ? (px * (bx - ax) + py * (by - ay)) / length : 0;
          const t = Math.min(1, Math.max(0, share));
          const distance = (px - t * (bx - ax)) ** 2 + (py - t * (by - ay)) ** 2;
          if (distance <= radius ** 2) isInk[y * fine + x] = 1;
        }
      }
    });
  }
  const pixels = new Float64Array(SIDE * SIDE);
  isInk.forEach((ink, i) => {
    const [y, x] = [Math.floor(i / fine), i % fine];
    pixels[Math.floor(y / FINE) * SIDE + Math.floor(x / FINE)] += ink;
  });
  return pixels.map((count) => count / FINE ** 2);
}

/** Centre of mass of an image, [x, y] in pixels: that of a single pixel lies at its index. */
function centreOfMass(pixels) {
  let [mass, x, y] = [0, 0, 0];
  pixels.forEach((value, i) => {
    mass += value;
    x += value * (i % SIDE);
    y += value * Math.floor(i / SIDE);
  });
  return mass ? [x / mass, y / mass] : [SIDE / 2, SIDE / 2];
}

/** An image moved by whole pixels so that its centre of mass comes as near as it can to (14, 14).

    Nothing is moved out of the image: ink at the border stops it. */
function centred(pixels) {
  const [down, right] = [1, 0].map((axis) => {
    const places = [];
    pixels.forEach((value, i) => {
      if (value > 0) places.push(axis ? Math.floor(i / SIDE) : i % SIDE);
    });
    const wanted = Math.round(SIDE / 2 - centreOfMass(pixels)[axis]);
    const least = -places.reduce((a, b) => Math.min(a, b), SIDE);
    const most = SIDE - 1 - places.reduce((a, b) => Math.max(a, b), 0);
    return Math.max(least, Math.min(most, wanted));
  });
  const moved = new Float64Array(SIDE * SIDE);
  pixels.forEach((value, i) => {
    if (value > 0) moved[i + down * SIDE + right] = value;
  });
  return moved;
}
