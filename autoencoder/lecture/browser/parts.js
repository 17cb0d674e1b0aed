"use strict";
/* What the pieces of the laboratory share: pictures, sliders, strips of digits. */

const find = (id) => document.getElementById(`lab-${id}`);

/** An element of a kind with attributes and children. */
function make(kind, attributes = {}, ...children) {
  const element = document.createElement(kind);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
}

/** A canvas that shows 28 x 28 pixels; `label` says what they are. */
function picture(label) {
  return make("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": label });
}

const ERASED = [0.35, 0.6, 0.85]; // blue, which no pixel of a digit has

/** Show 784 pixels, 0 black and 1 white; where `mask` is true they are erased, and blue. */
function paint(canvas, pixels, mask) {
  const context = canvas.getContext("2d");
  const data = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < pixels.length; i++) {
    for (let c = 0; c < 3; c++) {
      data.data[4 * i + c] = 255 * (mask && mask[i] ? ERASED[c] : pixels[i]); // clamps by itself
    }
    data.data[4 * i + 3] = 255;
  }
  context.putImageData(data, 0, 0);
}

/** A colour of the page's style, such as "--text". */
function colour(name) {
  return getComputedStyle(find("plane")).getPropertyValue(name).trim() || "grey";
}

// Colours of the ten digits, told apart on black and on white.
const CLASSES = [
  "#4e8fd0", "#e8832a", "#3aa655", "#d9484a", "#9a74c9",
  "#a5745f", "#de76bd", "#8c8c8c", "#aeae2c", "#27b3c4",
];

/** Right and down for each arrow key. */
const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Fit a canvas's pixels to its size on the screen; gives its context, to draw in CSS pixels. */
function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width, height };
}

/** Run tasks in turn, one a frame, so that pen and sliders stay quick.

    However often it is asked for, each task runs once more after the last time. */
function inTurn(...tasks) {
  let next = 0;
  let left = 0;
  const step = () => {
    tasks[next]();
    next = (next + 1) % tasks.length;
    wait(-1);
    if (--left) requestAnimationFrame(step);
  };
  return () => {
    if (!left) requestAnimationFrame(step);
    wait(tasks.length - left);
    left = tasks.length;
  };
}

let waiting = 0; // tasks of all pieces

/** Count more tasks, or fewer; the laboratory is busy while one waits. */
function wait(more) {
  waiting += more;
  document.getElementById("laboratory").setAttribute("aria-busy", String(waiting > 0));
}

/** A slider with its name and its value beside it; `changed` is called with the number.

    What lies `above` the slider is drawn over its track. */
function slider(holder, { name, low, high, value, digits = 2, above = [] }, changed) {
  const step = 10 ** -digits;
  const input = make("input", { type: "range", min: low, max: high, step, "aria-label": name });
  const shown = make("output");
  const set = (number) => {
    input.value = number;
    shown.textContent = Number(number).toFixed(digits);
  };
  input.addEventListener("input", () => {
    shown.textContent = Number(input.value).toFixed(digits);
    changed(Number(input.value));
  });
  const track = make("span", { class: "lab-track" }, ...above, input);
  holder.append(make("span", { class: "lab-name", "aria-hidden": "true" }, name), track, shown);
  set(value);
  return { input, set };
}

/** Buttons that each show a digit: the test images, and last the one drawn by hand. */
function strip(holder, digits, chosen) {
  const buttons = digits.map(({ pixels, label }) => {
    const canvas = picture("");
    canvas.setAttribute("aria-hidden", "true");
    const name = label === null ? "your own digit" : `test image of a ${label}`;
    const button = make("button", { type: "button", "aria-label": name, title: name }, canvas);
    button.addEventListener("click", () => chosen({ pixels, label }, button));
    paint(canvas, pixels);
    return button;
  });
  holder.replaceChildren(...buttons);
  return buttons;
}

/** Of buttons that exclude each other, press one. */
function press(buttons, pressed) {
  buttons.forEach((button) => button.setAttribute("aria-pressed", String(button === pressed)));
}

/** Call `changed` with the value of the radio button chosen among those of a name. */
function choice(name, changed) {
  const radios = [...document.querySelectorAll(`input[name="lab-${name}"]`)];
  radios.forEach((radio) => radio.addEventListener("change", () => changed(radio.value)));
}

/** Start a piece when it first comes near the window: opening the page computes nothing else. */
function whenSeen(element, start) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    start();
  }, { rootMargin: "200px" });
  observer.observe(element);
}

function meanSquare(a, b) {
  return a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;
}

/** Peak signal-to-noise ratio in dB, as autoencoder.psnr: the highest pixel is 1. */
function decibels(pixels, clean) {
  return -10 * Math.log10(meanSquare(pixels, clean));
}
