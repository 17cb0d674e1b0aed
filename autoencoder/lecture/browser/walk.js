"use strict";
/* A walk between two digits: a line between their latents, and the same between their pixels. */

const STOPS = 9; // pictures along the way

function startWalk(laboratory) {
  const network = laboratory.network("autoencoder 8");
  const ends = [null, null]; // { pixels, latents }
  let share = 0.5;
  const [decoded, mixed] = ["walk-decoded", "walk-mixed"].map((name) =>
    find(name).appendChild(picture(find(name).dataset.label)),
  );
  const stops = Array.from({ length: STOPS }, (_, i) => {
    const percent = Math.round((100 * i) / (STOPS - 1));
    return find("walk-film").appendChild(picture(`decoded at ${percent} % of the way`));
  });

  const at = (what, s) => ends[0][what].map((a, i) => (1 - s) * a + s * ends[1][what][i]);
  const showPlace = () => {
    paint(decoded, decode(network, at("latents", share)));
    paint(mixed, at("pixels", share));
  };
  const place = inTurn(showPlace);
  const showStop = (canvas, i) => () => {
    paint(canvas, decode(network, at("latents", i / (STOPS - 1))));
  };
  const film = inTurn(showPlace, ...stops.map(showStop));

  const chosen = [2, 7]; // places in the strips
  const fill = () => {
    ["walk-from", "walk-to"].forEach((name, end) => {
      const buttons = strip(find(name), laboratory.digits(), ({ pixels }, button) => {
        chosen[end] = buttons.indexOf(button);
        go(end, pixels, buttons);
      });
      go(end, laboratory.digits()[Math.min(chosen[end], buttons.length - 1)].pixels, buttons);
    });
  };
  const go = (end, pixels, buttons) => {
    ends[end] = { pixels, latents: encode(network, pixels) };
    press(buttons, buttons[Math.min(chosen[end], buttons.length - 1)]);
    if (ends[0] && ends[1]) film();
  };
  fill();
  laboratory.whenDrawn(fill);
  slider(find("walk-way"), { name: "way", low: 0, high: 1, value: share }, (value) => {
    share = value;
    place();
  });
}
