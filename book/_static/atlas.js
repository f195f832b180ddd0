// The atlas of filters: found by number, unit or the words of a unit, sorted and filtered, with the verdict on each
// and a link to each; what is chosen stands in the address. One tab stop, arrow keys within. Without this script
// its tiles stand as they are, each with its verdict.
document.addEventListener("DOMContentLoaded", () => {
  const { node, choice, inAddress, fromAddress } = globalThis.suite;
  const atlas = document.querySelector(".filter-atlas");
  if (!atlas) return;
  const told = JSON.parse(document.getElementById("filter-verdicts")?.textContent ?? "{}");
  const verdicts = told.layer === atlas.dataset.layer ? told.filters : null;
  const tiles = [...atlas.querySelectorAll("details")].map((element, rank) => {
    const [unit, cause] = verdicts?.[element.dataset.filter] ?? ["", ""];
    const verdict = !unit ? "no claim" : unit === cause ? "verified" : "claimed";
    const summary = element.querySelector("summary");
    return { element, summary, rank, number: Number(element.dataset.filter), unit, cause, verdict };
  });

  for (const { element, summary, number, unit, cause, verdict } of tiles) {
    const line = node("p");
    if (verdicts) {
      const moved = cause ? `${cause} moves it most` : "no unit raises it";
      line.textContent = !unit
        ? "It goes with no unit more than luck and the emotion explain. "
        : `It goes with ${unit} more than luck and the emotion explain; switched on, ${moved}: ` +
          `${unit === cause ? "verified" : "not verified"}. `;
      summary.setAttribute("aria-label", `${summary.getAttribute("aria-label")}, ${verdict} ${unit}`.trim());
    }
    line.append(node("a", { href: `#${element.id}`, textContent: `Link to filter ${number}` }));
    element.append(line);
  }

  const find = node("input", { type: "search", name: "find", placeholder: verdicts ? "44, AU12, mouth" : "44" });
  const bar = node("form", { className: "atlas-tools" }, node("label", {}, "Find ", find));
  const choose = (name, label, options) => bar.append(choice(label, options, { name })[0]);
  const byUnit = verdicts ? [["unit", "by unit"]] : [];
  choose("sort", "Sort", [["rank", "strongest first"], ["number", "by number"], ...byUnit]);
  const shares = [[0.25, "strongest quarter"], [0.5, "stronger half"], [1, "all"]];
  choose("share", "Strength", tiles.length > 99 ? shares : shares.reverse());
  if (verdicts) {
    const size = (au) => Number(au.slice(2));
    const units = [...new Set(tiles.map((tile) => tile.unit).filter(Boolean))].sort((a, b) => size(a) - size(b));
    choose("unit", "Unit", [["", "all"], ...units.map((unit) => [unit, unit])]);
    choose("verdict", "Verdict", [["", "all"], ["verified", "verified"], ["claimed", "claimed, not verified"], ["no claim", "no claim"]]);
  }
  const count = node("output");
  bar.append(count);
  atlas.before(bar);

  let shown = tiles;
  const stopAt = (summary) => {
    for (const tile of tiles) tile.summary.tabIndex = tile.summary === summary ? 0 : -1;
  };
  const apply = () => {
    const asked = Object.fromEntries(new FormData(bar));
    const word = asked.find.toLowerCase().replace("filter", "").replace(/\bau\s+(?=\d)/, "au").trim();
    const exact = /^(au)?\d+$/.test(word);
    const fits = (t) =>
      exact
        ? [String(t.number), t.unit.toLowerCase()].includes(word)
        : word.split(/\s+/).every((part) => (told.words?.[t.unit] ?? "").includes(part.replace(/s$/, "")));
    const keys = { rank: (t) => t.rank, number: (t) => t.number, unit: (t) => Number(t.unit.slice(2)) || 1000 };
    const key = keys[asked.sort];
    tiles.sort((a, b) => key(a) - key(b) || a.rank - b.rank);
    shown = tiles.filter(
      (t) =>
        (word ? fits(t) : t.rank < asked.share * tiles.length) &&
        (!asked.unit || t.unit === asked.unit) &&
        (!asked.verdict || t.verdict === asked.verdict),
    );
    const kept = new Set(shown);
    for (const tile of tiles) tile.element.hidden = !kept.has(tile);
    atlas.append(...tiles.map((tile) => tile.element));
    count.textContent = `${shown.length} of ${tiles.length} filters`;
    stopAt(shown[0]?.summary);
  };
  const START = "#atlas?";
  const changed = () => {
    apply();
    const asked = new URLSearchParams(new FormData(bar));
    for (const control of bar.elements) {
      const first = control.options ? control.options[0].value : control.defaultValue;
      if (asked.get(control.name) === first) asked.delete(control.name);
    }
    inAddress(START, asked);
  };
  bar.addEventListener("input", changed);
  bar.addEventListener("submit", (event) => event.preventDefault());

  atlas.addEventListener("focusin", (event) => event.target.matches("summary") && stopAt(event.target));
  atlas.addEventListener("keydown", (event) => {
    if (!event.target.matches("summary")) return;
    const columns = getComputedStyle(atlas).gridTemplateColumns.split(" ").length;
    const here = shown.findIndex((tile) => tile.summary === event.target);
    const ends = { Home: -here, End: shown.length - 1 - here };
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, ...ends };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    shown[Math.max(0, Math.min(shown.length - 1, here + steps[event.key]))].summary.focus();
  });

  const openAsked = () => {
    const asked = fromAddress(START);
    if (asked) {
      bar.reset();
      for (const [name, value] of asked) {
        const control = [...bar.elements].find((each) => each.name === name);
        if (!control) continue;
        control.value = value;
        if (control.selectedIndex < 0) control.selectedIndex = 0; // no such choice
      }
      apply();
      bar.scrollIntoView();
      return;
    }
    const tile = tiles.find((each) => `#${each.element.id}` === location.hash);
    if (!tile) return;
    bar.reset();
    bar.elements.share.value = "1";
    apply();
    tile.element.open = true;
    tile.summary.focus();
    tile.element.scrollIntoView({ block: "center" });
  };
  const remember = (event) => event.target.open && history.replaceState(null, "", `#${event.target.id}`);
  atlas.addEventListener("toggle", remember, true);
  addEventListener("hashchange", openAsked);
  apply();
  openAsked();
});
