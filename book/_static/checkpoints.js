// Training, scrubbed: every filter's verdict after the epoch, and of the network, that a reader chooses. Without this
// script a table of the first network's epochs stands there.
(() => {
  const { node, choice } = globalThis.suite;
  const root = document.querySelector(".checkpoints > div");
  const { aus, stages } = JSON.parse(document.getElementById("checkpoints-data").textContent);
  const names = ["", ...aus];
  const seeds = [...new Set(stages.map(({ seed }) => seed))];
  const options = seeds.map((seed, place) => [seed, `${place + 1} of ${seeds.length}`]);
  const [label, network] = choice("Network", options, { ariaLabel: "Network" });
  const epoch = node("input", { type: "range", min: 0, step: 1, ariaLabel: "Epoch" });
  const told = node("output");
  const said = node("p");
  said.setAttribute("role", "status");
  const cells = stages[0].claimed.map((_, filter) => node("span", {}, node("b", { textContent: filter }), node("i")));
  const about =
    "Each field is a filter with its number. ✓: verified, with its unit. ~: claimed for that unit, but another unit moves " +
    "it more. Of the first networks several epochs are kept, of the others the chosen one. The faces are the same throughout.";
  const draw = () => {
    const own = stages.filter(({ seed }) => seed === Number(network.value));
    const stage = own[epoch.value];
    let [claimed, units] = [0, []];
    for (const [filter, cell] of cells.entries()) {
      const [unit, cause] = [stage.claimed[filter], stage.caused[filter]];
      const verified = unit > 0 && unit === cause;
      if (unit) claimed += 1;
      if (verified) units = [...units, unit];
      cell.className = verified ? "verified" : unit ? "claimed" : "";
      cell.lastChild.textContent = unit ? `${verified ? "✓" : "~"} ${names[unit].slice(2)}` : "";
      cell.title = unit ? `${names[unit]}; ${cause ? `${names[cause]} moves it most` : "no unit raises it"}` : "no claim";
    }
    told.textContent = stage.epoch;
    epoch.setAttribute("aria-valuetext", `after epoch ${stage.epoch}`);
    const accuracy = (100 * stage.accuracy).toFixed(1);
    said.textContent =
      `After epoch ${stage.epoch}: accuracy ${accuracy}\u00a0%; ${claimed} filters claimed for a unit, ` +
      `${units.length} of them verified, for ${new Set(units).size} units.`;
  };
  const anew = () => {
    const last = stages.filter(({ seed }) => seed === Number(network.value)).length - 1;
    epoch.max = last;
    epoch.value = last;
    epoch.disabled = !last;
    draw();
  };
  network.addEventListener("change", anew);
  epoch.addEventListener("input", draw);
  const controls = node("p", { className: "chosen" }, node("label", {}, "Epoch ", epoch, " ", told), " ", label);
  root.replaceChildren(node("p", { textContent: about }), controls, said, node("div", { className: "filters" }, ...cells));
  anew();
})();
