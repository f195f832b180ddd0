/* The switchboard of the page on FACS: two units, their intensities, the face that shows them, and what
   filters answer. Without this script the page keeps the face that stands there. */

(function () {
  "use strict";

  const board = document.getElementById("facs-board");
  const data = JSON.parse(document.getElementById("switchboard-data").textContent);
  const number = new Map(data.codes.map((code, place) => [code, place]));
  const tile = board.querySelector(".facs-tile");
  const outline = board.querySelector("svg");
  const shown = board.querySelector(".shown");
  const bars = [...board.querySelectorAll("li")];
  const most = data.filters.map((answers) => Math.max(...answers, 1e-9));
  const NONE = "none";

  function element(name, properties) {
    return Object.assign(document.createElement(name), properties);
  }

  function unit(label, aus, au, letter) {
    const row = element("div", { className: "unit" });
    const select = element("select", { ariaLabel: label });
    for (const each of aus) {
      const text = each === NONE ? "no other unit" : `${each} ${data.names[each]}`;
      select.append(element("option", { value: each, textContent: text, selected: each === au }));
    }
    const range = element("input", { type: "range", min: 0, step: 1, ariaLabel: `${label}: intensity` });
    const told = element("output", { textContent: letter });
    row.append(select, range, told);
    return { row, select, range, told, letter };
  }

  const [[firstAu, firstLetter], [secondAu, secondLetter]] = data.first;
  const first = unit("First unit", Object.keys(data.names), firstAu, firstLetter);
  const second = unit("Second unit", [NONE, ...data.paired], secondAu, secondLetter);
  const outlined = element("input", { type: "checkbox", checked: true });
  const label = element("label");
  label.append(outlined, " outline of the skin that moves");
  shown.before(first.row, second.row, label);

  /* The intensities that there are pictures of: five for one unit, three each for two; 0 is off. */
  function scale(control, letters) {
    const wanted = ["", ...data.letters].indexOf(control.letter);
    const places = ["", ...letters].map((letter) => ["", ...data.letters].indexOf(letter));
    const near = places.reduce((best, place) => (Math.abs(place - wanted) < Math.abs(best - wanted) ? place : best));
    control.letters = ["", ...letters];
    control.letter = ["", ...data.letters][near];
    control.range.max = letters.length;
    control.range.value = places.indexOf(near);
    control.range.setAttribute("aria-valuetext", control.letter || "off");
    control.told.textContent = control.letter || "–";
  }

  function draw() {
    const may = data.paired.includes(first.select.value);
    second.select.disabled = !may;
    for (const option of second.select.options) {
      option.disabled = option.value === first.select.value;
    }
    if (!may || second.select.value === first.select.value) {
      second.select.value = NONE;
    }
    const two = second.select.value !== NONE;
    second.range.disabled = !two;
    const letters = two ? data.letters.filter((_, place) => place % 2 === 0) : data.letters;
    scale(first, letters);
    scale(second, letters);
    if (!two) {
      second.range.value = 0;
      second.range.setAttribute("aria-valuetext", "off");
      second.told.textContent = "–";
    }
    const on = [first, ...(two ? [second] : [])].filter((each) => each.letter);
    /* Codes name units in the order of FACS. */
    const names = Object.keys(data.names);
    on.sort((one, other) => names.indexOf(one.select.value) - names.indexOf(other.select.value));
    const picture = number.get(on.map((each) => each.select.value + each.letter).join("+"));
    const told = on.map((each) => `${each.select.value} ${each.letter} (${data.names[each.select.value]})`);
    shown.textContent = told.join(" + ") || "All units off.";
    tile.setAttribute("aria-label", `The face: ${shown.textContent}`);
    tile.style.setProperty("--row", Math.floor(picture / data.columns));
    tile.style.setProperty("--column", picture % data.columns);
    outline.replaceChildren(
      ...(outlined.checked ? on : []).map((each) => {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("d", data.outlines[each.select.value]);
        return path;
      })
    );
    bars.forEach((bar, place) => {
      const answer = data.filters[place][picture];
      bar.querySelector(".bar").style.setProperty("--value", answer / most[place]);
      bar.querySelector("b").textContent = answer;
    });
  }

  for (const each of [first, second]) {
    each.select.addEventListener("change", draw);
    each.range.addEventListener("input", () => {
      each.letter = each.letters[each.range.value];
      draw();
    });
  }
  outlined.addEventListener("change", draw);
  draw();
})();
