// Guesses: each sentence "Predict …" of a chapter gets a control that keeps the reader's guess in the browser, says
// what was found, and draws the guess into the figure; a page counts them all. Without this script the questions
// stand as they are. A browser that keeps nothing for files is handed the guesses in the address of the page.
document.addEventListener("DOMContentLoaded", () => {
  const { node, svgNode, fromAddress, inAddress } = globalThis.suite;
  const KEY = "predictions";
  const START = "#guesses?";
  let keeps = true;
  const read = () => {
    let text = "{}";
    try {
      text = localStorage.getItem(KEY) ?? text;
    } catch {
      keeps = false; // storage is off
    }
    try {
      const kept = JSON.parse(text);
      if (kept && typeof kept === "object" && !Array.isArray(kept)) return kept;
    } catch {
      // something else's text: no guess
    }
    return {};
  };
  let guesses = read();
  // Another open page may have kept guesses since: only the changes (undefined: forgotten) replace what is kept.
  const keep = (changes) => {
    guesses = { ...(keeps ? read() : guesses), ...changes };
    try {
      localStorage.setItem(KEY, JSON.stringify(guesses));
    } catch {
      keeps = false; // full
    }
  };
  const redraws = [];
  const refresh = () => {
    guesses = read();
    for (const redraw of redraws) redraw();
  };
  addEventListener("storage", ({ key }) => {
    if (key === KEY || key === null) refresh();
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted && keeps) refresh();
  });
  const number = (asked, value) => {
    const digits = (String(asked.step).split(".")[1] ?? "").length;
    return `${Number(value).toFixed(digits).replace("-", "−")}${asked.unit === "%" ? "\u00a0%" : ""}`;
  };
  // What was kept may be of another book: a guess counts only where it answers the question that is asked today.
  const guessOf = (asked) => {
    const guess = guesses[asked.id];
    if (asked.kind === "number") return typeof guess === "number" && Number.isFinite(guess) ? guess : undefined;
    if (asked.kind === "choice") return asked.options.includes(guess) ? guess : undefined;
    return typeof guess?.words === "string" ? guess : undefined;
  };
  const right = (asked, guess) => asked.right.includes(asked.options.indexOf(guess));
  const off = (asked, guess) => Math.abs(guess - asked.value) / (asked.to - asked.from);
  const said = (asked, guess) => {
    if (asked.kind === "words") return guess.words;
    return asked.kind === "number" ? `${number(asked, guess)} ${asked.unit === "%" ? "" : asked.unit}`.trim() : guess;
  };
  const judged = (asked, guess) => {
    if (asked.kind === "words") return guess.judged ? `by your own judgement ${guess.judged}` : "not judged yet";
    if (asked.kind === "choice") return right(asked, guess) ? "right" : "wrong";
    if (asked.low !== null && asked.low <= guess && guess <= asked.high) return "inside the interval";
    const distance = `off by ${number(asked, Math.abs(guess - asked.value))}`;
    return `${distance}, ${Math.round(100 * off(asked, guess))}\u00a0% of the scale`;
  };
  const found = (asked) =>
    asked.kind === "choice"
      ? asked.right.map((place) => asked.options[place]).join(", or ")
      : `${asked.text}${asked.unit && asked.unit !== "%" ? ` ${asked.unit}` : ""}`;

  // A number's guess is drawn where it lies on the axis, into each panel above or beside the first that has it.
  const mark = (asked, guess) => {
    const svg = document.querySelector(`#figure-${asked.figure} > svg`);
    if (!svg || !asked.axis) return;
    const id = `guess-${asked.id}`;
    for (const old of svg.querySelectorAll(".guess")) if (old.dataset.guess === id) old.remove();
    if (guess === undefined) return;
    const along = asked.axis;
    const grounds = [...svg.querySelectorAll(`[data-${along}]`)];
    if (!grounds.length) return;
    const boxes = grounds.map((ground) => ground.getBBox());
    const [zero, step] = grounds[0].dataset[along].split(" ").map(Number);
    const [first, place] = [boxes[0], zero + step * (asked.zero + guess)];
    const group = svgNode("g", { class: "guess" });
    group.dataset.guess = id;
    for (const box of boxes.filter((each) => Math.abs(each[along] - first[along]) < 1)) {
      const [from, to] = along === "x" ? [box.x, box.x + box.width] : [box.y, box.y + box.height];
      const at = Math.min(to, Math.max(from, place)); // a guess beyond the axis lies at its end
      const ends = along === "x" ? { x1: at, x2: at, y1: box.y, y2: box.y + box.height } : { y1: at, y2: at, x1: box.x, x2: box.x + box.width };
      group.append(svgNode("line", ends));
    }
    const at = group.querySelector("line");
    const late = along === "x" && Number(at.getAttribute("x1")) > first.x + first.width / 2;
    const label = svgNode("text", {
      x: Number(at.getAttribute("x1")) + (late ? -3 : 3),
      y: Number(at.getAttribute("y1")) + (along === "x" ? 9 : -3),
      "text-anchor": late ? "end" : "start",
    });
    label.textContent = "your guess";
    group.append(label);
    svg.append(group);
  };

  const handed = () => `${START}${new URLSearchParams({ all: JSON.stringify(guesses) })}`;
  const root = document.documentElement.dataset.content_root ?? "./";

  const control = (asked, redraw) => {
    const guess = guessOf(asked);
    mark(asked, guess);
    const name = `guess-${asked.id}`;
    const box = node("fieldset", {}, node("legend", { textContent: asked.asks }));
    if (guess !== undefined) {
      const line = node("p", {}, "You said ", node("b", { textContent: said(asked, guess) }));
      if (asked.kind === "words") {
        line.append(". What was found stands below. Was it so? ");
        for (const word of ["right", "partly right", "wrong"]) {
          const pick = node("input", { type: "radio", name, checked: guess.judged === word });
          pick.addEventListener("change", () => {
            keep({ [asked.id]: { ...guess, judged: word } });
          });
          line.append(node("label", {}, pick, ` ${word} `));
        }
      } else {
        line.append("; found here: ", node("b", { textContent: found(asked) }), `. That is ${judged(asked, guess)}. `);
      }
      if (asked.figure && document.getElementById(`figure-${asked.figure}`)) {
        line.append(node("a", { href: `#figure-${asked.figure}`, textContent: "See the figure" }), " ");
      }
      const again = node("button", { type: "button", textContent: "Guess again" });
      again.addEventListener("click", () => {
        keep({ [asked.id]: undefined });
        redraw(asked.id);
      });
      line.append(again);
      box.append(line);
      return box;
    }
    let given;
    if (asked.kind === "number") {
      const slider = node("input", { type: "range", min: asked.from, max: asked.to, step: asked.step });
      slider.value = (asked.from + asked.to) / 2;
      slider.setAttribute("aria-label", asked.asks);
      const told = node("output");
      const show = () => {
        told.textContent = said(asked, Number(slider.value));
        slider.setAttribute("aria-valuetext", told.textContent);
      };
      slider.addEventListener("input", show);
      show();
      box.append(slider, told);
      given = () => Number(slider.value);
    } else if (asked.kind === "choice") {
      for (const option of asked.options) {
        box.append(node("label", {}, node("input", { type: "radio", name, value: option }), ` ${option} `));
      }
      given = () => box.querySelector("input:checked")?.value;
    } else {
      const words = node("textarea", { rows: 2 });
      words.setAttribute("aria-label", asked.asks);
      box.append(words);
      given = () => (words.value.trim() ? { words: words.value.trim() } : undefined);
    }
    const button = node("button", { type: "button", textContent: "Keep this guess" });
    const missing = node("output");
    button.addEventListener("click", () => {
      const value = given();
      if (value === undefined) {
        missing.textContent = " Nothing is guessed yet.";
        return;
      }
      keep({ [asked.id]: value });
      redraw(asked.id);
    });
    box.append(button, missing);
    return box;
  };

  for (const place of document.querySelectorAll(".prediction")) {
    const every = JSON.parse(place.textContent);
    const question = place.previousElementSibling;
    const made = () => every.map(guessOf);
    const form = node("form", { className: "guesses", hidden: made().every((guess) => guess === undefined) });
    form.addEventListener("submit", (event) => event.preventDefault());
    let drawn;
    const draw = (changed) => {
      drawn = JSON.stringify(made());
      const all = node("a", { href: `${root}book/predictions.html`, textContent: "How well you predict so far" });
      // Whatever was guessed on this page since is handed on, too.
      const handOn = () => {
        all.href = `${root}book/predictions.html${keeps ? "" : handed()}`;
      };
      for (const event of ["pointerdown", "focus", "click"]) all.addEventListener(event, handOn);
      handOn();
      const end = node("p", {}, all);
      form.replaceChildren(...every.map((asked) => control(asked, draw)), end);
      if (!keeps) end.append(": this browser keeps no guesses beyond the page.");
      if (changed) form.children[every.findIndex((asked) => asked.id === changed)].querySelector("input, textarea, button").focus();
    };
    const button = node("button", { type: "button", className: "guess-button", textContent: "Your guess" });
    button.setAttribute("aria-expanded", String(!form.hidden));
    button.addEventListener("click", () => {
      form.hidden = !form.hidden;
      button.setAttribute("aria-expanded", String(!form.hidden));
    });
    question.append(" ", button);
    place.replaceChildren(form);
    draw();
    // A guess that another page kept is shown; a form in which nothing changed keeps what is being written in it.
    redraws.push(() => {
      if (drawn === JSON.stringify(made())) return;
      form.hidden &&= made().every((guess) => guess === undefined);
      button.setAttribute("aria-expanded", String(!form.hidden));
      draw();
    });
  }

  const page = document.querySelector(".predictions");
  if (!page) return;
  const every = JSON.parse(page.textContent);
  const given = fromAddress(START);
  if (given) {
    try {
      const all = JSON.parse(given.get("all"));
      // What was kept here is the reader's own; the address may be anybody's.
      const ids = every.map(({ id }) => id).filter((id) => id in all && !(id in guesses));
      keep(Object.fromEntries(ids.map((id) => [id, all[id]])));
      if (keeps) inAddress(START, {});
    } catch {
      page.before(node("p", { textContent: "The address holds guesses that cannot be read." }));
    }
  }
  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
  };
  const count = () => {
    const made = every.filter((asked) => guessOf(asked) !== undefined);
    const of = (kind) => made.filter((asked) => asked.kind === kind).map((asked) => [asked, guessOf(asked)]);
    const [choices, numbers, words] = ["choice", "number", "words"].map(of);
    const lines = [`You made ${made.length} of ${every.length} guesses.`];
    if (choices.length) {
      const hits = choices.filter(([asked, guess]) => right(asked, guess)).length;
      const luck = choices.reduce((sum, [asked]) => sum + asked.right.length / asked.options.length, 0);
      lines.push(`Of ${choices.length} choices ${hits} ${hits === 1 ? "was" : "were"} right; by luck it would be ${luck.toFixed(1)}.`);
    }
    if (numbers.length) {
      const high = numbers.filter(([asked, guess]) => guess > asked.value).length;
      const middle = Math.round(100 * median(numbers.map(([asked, guess]) => off(asked, guess))));
      const half = numbers.length === 1 ? "Your number was off by" : `Half of your ${numbers.length} numbers were off by at most`;
      lines.push(`${half} ${middle}\u00a0% of the scale; ${high} ${high === 1 ? "was" : "were"} too high.`);
    }
    if (words.length) {
      const good = words.filter(([, guess]) => guess.judged === "right").length;
      lines.push(`Of ${words.length} answers in words you judged ${good} to be right.`);
    }
    const rows = made.map((asked) => {
      const guess = guessOf(asked);
      const link = node("a", { href: `${root}${asked.page}`, textContent: asked.chapter });
      const shown = [said(asked, guess), asked.kind === "words" ? "on the page" : found(asked), judged(asked, guess)];
      const cells = [asked.asks, ...shown].map((textContent) => node("td", { textContent }));
      return node("tr", {}, node("td", {}, link), ...cells);
    });
    const heads = ["Chapter", "Asked", "You said", "Found", "So it was"].map((textContent) => node("th", { textContent, scope: "col" }));
    const table = node("table", { className: "table" }, node("thead", {}, node("tr", {}, ...heads)), node("tbody", {}, ...rows));
    const scroll = node("div", { className: "pst-scrollable-table-container", hidden: !made.length }, table);
    const forget = node("button", { type: "button", textContent: "Forget all guesses", hidden: !made.length });
    forget.addEventListener("click", () => {
      keep(Object.fromEntries(Object.keys(guesses).map((id) => [id, undefined])));
      inAddress(START, {});
      count();
    });
    page.replaceChildren(node("p", {}, node("output", {}, node("b", { textContent: lines.join(" ") }))), forget, scroll);
  };
  count();
  redraws.push(count);
});
