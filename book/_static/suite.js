// What the scripts of the pages share: elements, a state in the address, and the units of a rendered face.
globalThis.suite = (() => {
  const node = (name, properties = {}, ...content) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...content);
    return made;
  };
  const svgNode = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  // A selection of values with their texts, within its label.
  const choice = (label, options, properties = {}) => {
    const select = node("select", properties, ...options.map(([value, text]) => new Option(text, value)));
    return [node("label", {}, `${label} `, select), select];
  };

  // What a reader chose stands in the address behind `start`, so that it can be passed on and found again.
  const inAddress = (start, chosen) => {
    const asked = new URLSearchParams(chosen);
    history.replaceState(null, "", asked.size ? `${start}${asked}` : location.pathname);
  };
  const fromAddress = (start) =>
    location.hash.startsWith(start) ? new URLSearchParams(location.hash.slice(start.length)) : null;

  // One or two units of a face, each a selection, a range and the letter told beside it. There are pictures of one
  // unit at five intensities, of two at every other; 0 is off. `changed` is handed the units that are on.
  const unitControls = ({ names, letters, paired, first }, units, changed) => {
    const NONE = "none";
    const [all, known] = [["", ...letters], Object.keys(names)];
    units.forEach((unit, k) => {
      for (const au of k ? [NONE, ...paired] : known) {
        unit.select.append(new Option(au === NONE ? "no other unit" : `${au} ${names[au]}`, au));
      }
      unit.range.max = letters.length;
      [unit.select.value, unit.letter] = first[k];
      unit.select.addEventListener("change", () => draw());
      unit.range.addEventListener("input", () => {
        unit.letter = unit.letters[unit.range.value];
        draw();
      });
    });
    const scale = (unit, scored) => {
      const [wanted, places] = [all.indexOf(unit.letter), ["", ...scored].map((letter) => all.indexOf(letter))];
      const near = places.reduce((best, place) => (Math.abs(place - wanted) < Math.abs(best - wanted) ? place : best));
      [unit.letters, unit.letter] = [["", ...scored], all[near]];
      [unit.range.max, unit.range.value] = [scored.length, places.indexOf(near)];
    };
    const draw = () => {
      const [one, other] = units;
      const may = paired.includes(one.select.value);
      other.select.disabled = !may;
      for (const option of other.select.options) option.disabled = option.value === one.select.value;
      if (!may || other.select.value === one.select.value) other.select.value = NONE;
      const two = other.select.value !== NONE;
      other.range.disabled = !two;
      for (const unit of units) scale(unit, two ? letters.filter((_, place) => place % 2 === 0) : letters);
      if (!two) other.range.value = 0;
      const on = units.filter((unit) => (two || unit === one) && unit.letter);
      for (const unit of units) {
        unit.range.setAttribute("aria-valuetext", on.includes(unit) ? unit.letter : "off");
        unit.told.textContent = on.includes(unit) ? unit.letter : "–";
      }
      const place = (unit) => known.indexOf(unit.select.value); // codes name units in the order of FACS
      on.sort((a, b) => place(a) - place(b));
      changed(on.map((unit) => ({ au: unit.select.value, letter: unit.letter })));
    };
    return draw;
  };
  return { node, svgNode, choice, inAddress, fromAddress, unitControls };
})();
