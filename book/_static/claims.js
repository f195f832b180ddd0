// The claims by bounds that a reader moves: each question of the page of answers has a slider, and its answer, the
// claim's verdict and their count follow, by the rules of ferbook/verdicts.py. What was moved stands in the address.
// Without this script the page has the answers by the frozen bounds.
document.addEventListener("DOMContentLoaded", () => {
  const { node, inAddress, fromAddress } = globalThis.suite;
  const source = document.getElementById("claims-data");
  if (!source) return;
  const { claims, colours, counted } = JSON.parse(source.textContent);
  const START = "#bounds?";
  const moved = new Map(); // a question's name -> the bound in place of the frozen one

  const answered = (row) => {
    if (!row.name) return row.answer;
    if (!row.counts && row.low === null) return "open";
    const bound = moved.get(row.name) ?? row.limit;
    const [low, high] = (row.counts ? [row.value, row.value] : [row.low, row.high]).map((end) => end - bound);
    const margin = row.margin ?? 0;
    if (row.margin !== null && -margin < low && high < margin) return row.side === "about" ? "yes" : "no difference";
    const beyond = { above: low > 0, below: high < 0, about: false }[row.side];
    const short = { above: high < 0, below: low > 0, about: low > margin || high < -margin }[row.side];
    if (beyond) return "yes";
    if (short || row.counts) return "no";
    return row.margin !== null && (high - low) / 2 >= margin ? "too few" : "open";
  };
  const judged = ({ control, rows }, answers) => {
    const of = (role) => answers.filter((_, place) => rows[place].role === role);
    const [own, weak] = [of("own"), of("weak")];
    const every = (list, word) => list.every((each) => each === word);
    if (every(own, "not asked")) return "not asked";
    if (control === false) return "cannot be asked here";
    const unmet = rows.findIndex((row, place) => row.role === "required" && answers[place] !== "yes");
    if (unmet >= 0) return rows[unmet].counts && answers[unmet] === "no" ? "cannot be asked with this many" : "not settled";
    if (every(own, "yes")) return "holds";
    if (weak.length && every(weak, "yes")) return "holds against a weak control";
    if (own.some((each) => each === "no" || each === "no difference")) return "does not hold";
    return own.includes("too few") ? "cannot be asked with this many" : "not settled";
  };

  const label = (badge, word) => {
    badge.textContent = word;
    badge.className = `sd-sphinx-override sd-badge sd-bg-${colours[word]} sd-bg-text-${colours[word]}`;
  };
  const said = (row, bound) => {
    const share = row.kind === "share";
    const number = Number((share ? 100 * bound : bound).toPrecision(4)).toLocaleString("en").replace("-", "−");
    return `${row.side} ${number}${share ? "\u00a0%" : ""} ${row.unit}`.trim();
  };
  // What a slider reaches: everything measured, and as much again on both sides; its steps begin at the frozen bound.
  const reach = (row) => {
    const ends = [row.low ?? row.value, row.high ?? row.value, row.value, row.limit, row.limit - (row.margin ?? 0), row.limit + (row.margin ?? 0)];
    const [least, most] = [Math.min(...ends), Math.max(...ends)];
    const wide = most - least || Math.abs(most) || 1;
    const power = 10 ** Math.floor(Math.log10(wide / 40));
    const step = power * ([1, 2, 5].find((each) => each * power >= wide / 40) ?? 10);
    const whole = row.counts ? Math.max(1, Math.round(step)) : step;
    return { step: whole, least: Math.floor((least - wide / 2 - row.limit) / whole), most: Math.ceil((most + wide / 2 - row.limit) / whole) };
  };

  const count = node("output");
  const back = node("button", { type: "button", textContent: "Frozen bounds again" });
  const bar = node("div", { className: "bounds-bar" }, count, " ", back);
  const cards = [...document.querySelectorAll(".bd-article .claim")];
  cards[0].closest("section").before(bar);

  const sliders = []; // each with its row
  const lines = cards.map((card, number) => [...card.querySelectorAll("tbody tr")].slice(0, claims[number].rows.length));
  lines.forEach((inCard, number) => {
    inCard.forEach((line, place) => {
      const row = claims[number].rows[place];
      if (!row.name || row.role === "again") return;
      const { step, least, most } = reach(row);
      const slider = node("input", { type: "range", min: least, max: most, step: 1 });
      slider.setAttribute("aria-label", `Bound: ${row.asks}`);
      const share = (value) => Math.min(1, Math.max(0, ((value - row.limit) / step - least) / (most - least)));
      const told = node("output");
      const box = node("div", { className: "bound" }, slider, told);
      const [from, to] = [row.low ?? row.value, row.high ?? row.value].map(share);
      box.style.setProperty("--from", from);
      box.style.setProperty("--to", to);
      line.cells[2].append(box);
      sliders.push({ row, slider, step, told });
      slider.addEventListener("input", () => {
        const steps = Number(slider.value);
        if (steps) moved.set(row.name, Number((row.limit + steps * step).toPrecision(12)));
        else moved.delete(row.name);
        draw();
        inAddress(START, [...moved]);
      });
    });
  });

  const frozen = claims.map((claim) => judged(claim, claim.rows.map(answered)));
  const draw = (wrong = "") => {
    const verdicts = claims.map((claim, number) => {
      const answers = claim.rows.map(answered);
      for (const [place, word] of answers.entries()) label(lines[number][place].querySelector(".sd-badge"), word);
      const verdict = judged(claim, answers);
      const card = cards[number];
      label(card.querySelector(".sd-badge"), verdict);
      card.dataset.verdict = verdict;
      card.classList.toggle("moved", claim.rows.some((row) => moved.has(row.name)));
      return verdict;
    });
    for (const { row, slider, step, told } of sliders) {
      const bound = moved.get(row.name) ?? row.limit;
      slider.value = Math.round((bound - row.limit) / step);
      told.textContent = said(row, bound);
      slider.setAttribute("aria-valuetext", `${said(row, bound)}: ${answered(row)}`);
    }
    const parts = counted.map(([word, one, several]) => {
      const number = verdicts.filter((each) => each === word).length;
      return number ? `${number} ${number === 1 ? one : several}` : "";
    });
    const changed = verdicts.filter((each, number) => each !== frozen[number]).length;
    const of = moved.size === 1 ? "one bound that you moved" : `${moved.size} bounds that you moved`;
    count.textContent = moved.size
      ? `By ${of}, ${changed} of ${claims.length} verdicts ${changed === 1 ? "is" : "are"} another: ${parts.filter(Boolean).join(", ")}.`
      : wrong || "Would another bound change a verdict? Open How it was asked below a claim and move its bounds.";
    bar.classList.toggle("moved", moved.size > 0);
    back.hidden = !moved.size;
  };
  const asked = () => {
    const given = fromAddress(START);
    if (!given) return draw();
    moved.clear();
    const wrong = [];
    for (const [name, text] of given) {
      const bound = Number(text);
      if (text.trim() && Number.isFinite(bound) && sliders.some(({ row }) => row.name === name)) moved.set(name, bound);
      else wrong.push(`${name}=${text}`);
    }
    draw(wrong.length ? `The address moves ${wrong[0]}, which is no bound of these questions.` : "");
    const card = document.querySelector(".claim.moved");
    if (!card) return;
    card.querySelector("details").open = true;
    card.scrollIntoView({ block: "center" });
  };
  back.addEventListener("click", () => {
    moved.clear();
    draw();
    inAddress(START, []);
  });
  addEventListener("hashchange", asked);
  asked();
});
