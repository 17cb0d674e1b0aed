"use strict";
/* The page as a deck of slides: index.html#slides. A slide is an element of the page, shown alone;
   style and layout are in slides.css. */
(() => {
  const root = document.documentElement;
  const slides = [...document.querySelectorAll(".title, .head, figure")];
  const notes = document.getElementById("notes");
  const paper = document.createElement("style"); // a page is printed as large as a slide
  paper.textContent = "@page { size: 1280px 720px; margin: 0; }";
  let shown = -1; // the number of the slide on the screen, from 0; on the page none is
  let presenter = null; // a window with the notes, for another screen

  const isDeck = () => root.classList.contains("slides");
  const said = (slide) => slide.querySelector(".headline, h1, h2").textContent.trim();

  /* What the lecturer may say: a figure's whole caption, or how a section was computed. */
  function notesOf(slide) {
    const list = slide.matches(".head") ? slide.parentElement.querySelector("dl") : null;
    const whole = slide.querySelector("figcaption") ?? list;
    return whole ? whole.outerHTML : "";
  }

  function addFoot(slide, number) {
    const heading = slide.closest("section")?.querySelector("h2")?.textContent.trim();
    const figure = slide.querySelector("figcaption .anchor")?.textContent;
    const foot = document.createElement("p");
    foot.className = "foot";
    foot.append(document.createElement("span"), document.createElement("span"));
    foot.firstChild.textContent = figure ? [heading, figure].filter(Boolean).join(" · ") : "";
    foot.lastChild.textContent = `${number + 1} / ${slides.length}`;
    slide.append(foot);
    slide.classList.add("slide");
    slide.tabIndex = -1;
  }

  function show(number) {
    const wanted = Math.max(0, Math.min(slides.length - 1, number));
    slides[shown]?.classList.remove("shown");
    shown = wanted;
    slides[shown].classList.add("shown");
    slides[shown].focus({ preventScroll: true });
    notes.innerHTML = notesOf(slides[shown]);
    if (presenter && !presenter.closed) {
      const next = slides[shown + 1];
      presenter.document.body.innerHTML =
        `<h1>${shown + 1} / ${slides.length}: ${escaped(said(slides[shown]))}</h1>` +
        `${notes.innerHTML}<p>Next: ${next ? escaped(said(next)) : "the end"}</p>`;
    }
  }

  function escaped(text) {
    const element = document.createElement("span");
    element.textContent = text;
    return element.innerHTML;
  }

  /* hashchange comes later than the next key may: the address is followed at once. */
  function go(number) {
    const within = Math.max(0, Math.min(slides.length - 1, number));
    location.replace(`#slides/${within + 1}`);
    follow();
  }

  /* Follows the address: #slides, #slides/12, or anything else, which is the page. */
  function follow() {
    const match = /^#slides(?:\/(\d+))?$/.exec(location.hash);
    if (match) {
      if (!isDeck()) {
        slides.forEach((slide, number) => slide.classList.contains("slide") || addFoot(slide, number));
        root.classList.add("slides");
        document.head.append(paper);
      }
      show(match[1] ? Number(match[1]) - 1 : 0);
    } else if (isDeck()) {
      slides[shown]?.classList.remove("shown");
      root.classList.remove("slides");
      notes.hidden = true;
      paper.remove();
      document.getElementById(location.hash.slice(1))?.scrollIntoView();
    }
  }

  /* Back to the page, at what was shown. */
  function leave() {
    const place = slides[shown].closest("[id]");
    location.hash = place ? place.id : "";
    follow();
  }

  function openPresenter() {
    presenter = window.open("", "minigrad-presenter", "width=900,height=700");
    if (!presenter) return; // the browser does not let us
    presenter.document.title = "Notes";
    const style = presenter.document.createElement("style");
    style.textContent =
      "body { font: 20px/1.5 system-ui, sans-serif; margin: 1.5em; } h1 { font-size: 1.3em; }" +
      "table { border-collapse: collapse; } td, th { padding: 0.2em 0.8em; text-align: right; }" +
      "a { color: inherit; text-decoration: none; } :root { color-scheme: light dark; }";
    presenter.document.head.replaceChildren(style);
    presenter.document.onkeydown = onKey;
    show(shown);
  }

  const keys = {
    ArrowRight: () => go(shown + 1),
    ArrowDown: () => go(shown + 1),
    PageDown: () => go(shown + 1),
    " ": () => go(shown + 1),
    ArrowLeft: () => go(shown - 1),
    ArrowUp: () => go(shown - 1),
    PageUp: () => go(shown - 1),
    Backspace: () => go(shown - 1),
    Home: () => go(0),
    End: () => go(slides.length - 1),
    Escape: leave,
    n: () => (notes.hidden = !notes.hidden),
    p: openPresenter,
    f: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
  };

  function onKey(event) {
    if (!isDeck() || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  }

  /* A finger's stroke to the left is the next slide; so is a click on the right half. */
  let start = null;
  const onDown = (event) => (start = isDeck() && event.isPrimary ? event.clientX : null);
  function onUp(event) {
    if (start === null || event.target.closest("a, #notes") || getSelection().toString()) return;
    const along = event.clientX - start;
    const isStroke = Math.abs(along) > 40;
    const isForward = isStroke ? along < 0 : event.clientX > innerWidth / 2;
    go(shown + (isForward ? 1 : -1));
  }

  addEventListener("keydown", onKey);
  addEventListener("pointerdown", onDown);
  addEventListener("pointerup", onUp);
  addEventListener("hashchange", follow);
  follow();
})();
