// The switchboard of the page on FACS: a person, two units, their intensities, the face that shows them, and what
// filters answer. Without this script the page keeps the face that stands there.
(() => {
  const { node, svgNode, choice, unitControls } = globalThis.suite;
  const board = document.getElementById("facs-board");
  const data = JSON.parse(document.getElementById("switchboard-data").textContent);
  const [first, others] = [data.codes, data.sheetCodes].map((codes) => new Map(codes.map((code, place) => [code, place])));
  const numbers = (who) => (who ? others : first);
  const tile = board.querySelector(".facs-tile");
  const outline = board.querySelector("svg");
  const shown = board.querySelector(".shown");
  const bars = [...board.querySelectorAll("li")];
  const strongest = (answers, who) => {
    const rise = (au) => answers[numbers(who).get(`${au}E`)] - answers[0];
    const best = Object.keys(data.names).reduce((one, other) => (rise(other) > rise(one) ? other : one));
    return rise(best) > 0 ? best : "none";
  };
  const filters = data.filters.map(({ answers }, place) => ({
    answers,
    most: Math.max(...answers.flat(), 1e-9),
    here: answers.map(strongest),
    bar: bars[place],
    dots: [...bars[place].querySelectorAll(".bar i")],
  }));
  const units = ["First unit", "Second unit"].map((label) => {
    const select = node("select", { ariaLabel: label });
    const range = node("input", { type: "range", min: 0, step: 1, ariaLabel: `${label}: intensity` });
    return { select, range, told: node("output") };
  });
  const people = [...data.sheets.keys()].map((k) => [k + 1, `person ${k + 2}: one unit at a time`]);
  const [personLabel, person] = choice("Person", [[0, "person 1"], ...people], { ariaLabel: "Person" });
  const rows = units.map(({ select, range, told }) => node("div", { className: "unit" }, select, range, told));
  const outlined = node("input", { type: "checkbox", checked: true });
  const outlineLabel = node("label", {}, outlined, " outline of the skin that moves");
  shown.before(...(people.length ? [personLabel] : []), ...rows, outlineLabel);

  const changed = (on) => {
    const who = Number(person.value);
    const code = on.map(({ au, letter }) => au + letter).join("+");
    const picture = numbers(who).get(code);
    const told = on.map(({ au, letter }) => `${au} ${letter} (${data.names[au]})`);
    shown.textContent = told.join(" + ") || "All units off.";
    tile.setAttribute("aria-label", `The face${who ? ` of person ${who + 1}` : ""}: ${shown.textContent}`);
    const columns = who ? data.sheetColumns : data.columns;
    tile.style.backgroundImage = who ? `url(${data.sheets[who - 1]})` : "";
    tile.style.backgroundSize = who ? `calc(var(--side) * ${columns})` : "";
    tile.style.setProperty("--row", Math.floor(picture / columns));
    tile.style.setProperty("--column", picture % columns);
    outlined.disabled = who > 0; // the outlines are of the first person
    const moving = outlined.checked && !who ? on : [];
    outline.replaceChildren(...moving.map(({ au }) => svgNode("path", { d: data.outlines[au] })));
    for (const { answers, most, here, bar, dots } of filters) {
      const line = bar.querySelector(".bar");
      line.style.setProperty("--value", answers[who][picture] / most);
      line.style.setProperty("--rest", answers[who][0] / most);
      bar.querySelector("b").textContent = answers[who][picture];
      const told = bar.querySelector("span i");
      if (told) told.textContent = here[who];
      const beside = answers.map((own, each) => own[numbers(each).get(code)]).filter((_, each) => each !== who);
      for (const [k, dot] of dots.entries()) {
        dot.hidden = beside[k] === undefined;
        dot.style.setProperty("--at", beside[k] / most);
      }
    }
  };
  const draw = unitControls(data, units, changed, () => person.value !== "0");
  person.addEventListener("change", draw);
  outlined.addEventListener("change", draw);
  draw();
})();
