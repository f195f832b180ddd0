// Find your own detector: a filter's strongest faces, a unit that the reader names, and 1,000 deals of the labels,
// made here. A deal moves the labels of whole sequences, anywhere or within one emotion. Each unit's AUROC is
// compared with its own deals (less their mean, over their standard deviation), and the named one with the largest
// of all units in each deal, since it was chosen among them.
(() => {
  const { node, choice } = globalThis.suite;
  const root = document.querySelector(".own-detector");
  const data = JSON.parse(document.getElementById("own-detector-data").textContent);
  const DEALS = 1000;
  const { units, shown, sequences, emotions } = data;
  const members = [];
  for (const [row, sequence] of sequences.entries()) {
    members[sequence] ??= [];
    members[sequence].push(row);
  }

  // mulberry32: the same numbers on every machine
  const generator = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const ranked = (responses) => {
    const order = responses.map((_, row) => row).sort((a, b) => responses[a] - responses[b]);
    const ranks = new Float64Array(responses.length);
    for (let start = 0, end = 0; start < order.length; start = end) {
      while (end < order.length && responses[order[end]] === responses[order[start]]) end++;
      for (let place = start; place < end; place++) ranks[order[place]] = (start + end + 1) / 2; // ties share one
    }
    return ranks;
  };
  const aurocs = (ranks, labels) => {
    const [sums, counts] = [new Float64Array(units.length), new Float64Array(units.length)];
    labels.forEach((bits, row) => {
      for (let unit = 0; unit < units.length; unit++) {
        if (bits & (1 << unit)) {
          sums[unit] += ranks[row];
          counts[unit]++;
        }
      }
    });
    return Array.from(sums, (sum, unit) => {
      const n = counts[unit];
      return n && n < labels.length ? (sum - (n * (n + 1)) / 2) / (n * (labels.length - n)) : 0.5;
    });
  };
  const dealt = (groups, random) => {
    const labels = new Array(shown.length);
    for (const own of groups) {
      const from = [...own];
      for (let last = from.length - 1; last > 0; last--) {
        const other = Math.floor(random() * (last + 1));
        [from[last], from[other]] = [from[other], from[last]];
      }
      own.forEach((to, place) => {
        const source = members[from[place]];
        for (const [number, row] of members[to].entries()) labels[row] = shown[source[number % source.length]];
      });
    }
    return labels;
  };
  const every = members.map((_, sequence) => sequence);
  const ofEmotion = new Map();
  for (const sequence of every) {
    const emotion = emotions[members[sequence].at(-1)];
    ofEmotion.set(emotion, [...(ofEmotion.get(emotion) ?? []), sequence]);
  }
  const trial = (responses, unit, groups) => {
    const [ranks, random] = [ranked(responses), generator(1)];
    const real = aurocs(ranks, shown);
    const deals = Array.from({ length: DEALS }, () => aurocs(ranks, dealt(groups, random)));
    const mean = units.map((_, k) => deals.reduce((sum, deal) => sum + deal[k], 0) / DEALS);
    const spread = units.map((_, k) => Math.sqrt(deals.reduce((sum, deal) => sum + (deal[k] - mean[k]) ** 2, 0) / DEALS));
    const score = (values) => values.map((value, k) => (spread[k] > 1e-12 ? (value - mean[k]) / spread[k] : 0));
    const largest = deals.map((deal) => Math.max(...score(deal)));
    const own = score(real)[unit];
    return { real, own, largest, p: (1 + largest.filter((each) => each >= own - 1e-9).length) / (1 + DEALS) };
  };

  const [networkLabel, network] = choice("Network", data.networks.map(({ name }, place) => [place, name]));
  const [filterLabel, filter] = choice("Filter", []);
  const [unitLabel, unit] = choice("These faces show", [["", "name a unit"], ...units.map((au, place) => [place, `${au} ${data.names[place]}`])]);
  const faces = node("div", { className: "strongest" });
  faces.setAttribute("role", "img");
  const told = node("div", { className: "told" });
  told.setAttribute("role", "status");
  root.querySelector("p").replaceWith(
    node("p", { textContent: "Ten people to whose faces one filter answers most. Name the unit that you think it detects. Then the labels are shuffled 1,000 times, which says how often luck does as well." }),
    node("p", { className: "chosen" }, networkLabel, " ", filterLabel, " ", unitLabel),
    faces,
    told,
  );
  const chosen = () => data.networks[network.value].filters[filter.value];
  const histogram = ({ own, largest }) => {
    const most = Math.max(own, ...largest) * 1.05;
    const counts = new Array(40).fill(0);
    for (const each of largest) counts[Math.min(39, Math.max(0, Math.floor((each / most) * 40)))]++;
    const top = Math.max(...counts);
    const bars = counts.map((count, place) => `<rect x="${place * 8}" y="${50 - (48 * count) / top}" width="7" height="${(48 * count) / top}"/>`);
    const at = Math.max(0, (own / most) * 320);
    const box = node("div");
    box.innerHTML = `<svg viewBox="0 0 320 52" aria-hidden="true">${bars.join("")}<line x1="${at}" x2="${at}" y1="0" y2="52"/></svg>`;
    return box.firstChild;
  };
  const percent = (p) => `p\u00a0=\u00a0${p.toFixed(3)}`;
  const show = () => {
    const { strongest } = chosen();
    faces.setAttribute("aria-label", `The ${strongest.length} faces to which filter ${chosen().filter} answers most`);
    faces.replaceChildren(
      ...strongest.map((tile) => {
        const face = node("span");
        face.style.backgroundImage = `url(${data.sheet})`;
        face.style.setProperty("--place", data.tiles > 1 ? tile / (data.tiles - 1) : 0);
        face.style.setProperty("--tiles", data.tiles);
        return face;
      }),
    );
    told.replaceChildren();
    if (unit.value === "") return;
    const [k, { filter: name, responses, rise }] = [Number(unit.value), chosen()];
    const lines = [
      ["Labels shuffled anywhere", trial(responses, k, [every])],
      ["Labels shuffled within the emotion", trial(responses, k, [...ofEmotion.values()])],
    ];
    const { real } = lines[0][1];
    const best = real.indexOf(Math.max(...real));
    const first = `Filter ${name} and ${units[k]}: AUROC ${real[k].toFixed(2)}.`;
    const second = best === k ? " No unit has a larger one." : ` The largest is that of ${units[best]}, ${real[best].toFixed(2)}.`;
    told.append(node("p", { textContent: first + second }));
    for (const [what, result] of lines) {
      const verdict = result.p <= 0.05 ? "more than luck finds" : "luck finds as much";
      const line = node("p", {}, `${what}: the best of ${units.length} units does as well in a share of `, node("b", { textContent: percent(result.p) }), `: ${verdict}.`);
      line.dataset.p = result.p;
      told.append(line, histogram(result));
    }
    const most = rise.indexOf(Math.max(...rise));
    const moved = rise[most] > 0 ? `${units[most]} raises it most, by ${rise[most].toPrecision(2)}` : "no unit raises it";
    const own = most === k && rise[k] > 0 ? "" : `; ${units[k]} changes it by ${rise[k].toPrecision(2)}`.replace("-", "−");
    told.append(node("p", { textContent: `Switched on alone on one person: ${moved}${own}.` }));
    const verdict = network.value === "0" && data.verdicts[name];
    if (verdict) {
      const cause = verdict[1] ? `${verdict[1]} moves it most` : "no unit raises it";
      told.append(node("p", { textContent: `This chapter's verdict, over many people: claimed for ${verdict[0]}; ${cause}.` }));
    }
  };
  const anew = () => {
    unit.value = "";
    filter.replaceChildren(...data.networks[network.value].filters.map((each, place) => new Option(each.filter, place)));
    show();
  };
  network.addEventListener("change", anew);
  filter.addEventListener("change", () => {
    unit.value = "";
    show();
  });
  unit.addEventListener("change", show);
  anew();
})();
