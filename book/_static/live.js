/* The network in the page: what is shown of it and changed; network.js computes. Nothing is asked of another machine;
   without this script a still picture stands there. */

(() => {
  const { node, unitControls, computing } = globalThis.suite;
  const board = document.getElementById("live");
  const packed = document.getElementById("live-data");
  if (!board || !packed) return;
  const data = JSON.parse(packed.textContent);
  const still = board.cloneNode(true); /* what stands there again where the network cannot compute */
  still.append("This browser cannot unpack the network, so that only the still picture stands here.");
  const SIDE = data.size;
  const GREY = 128; /* what the brush leaves */
  const REACH = 3; /* of the brush, in pixels */
  const WIDEST = 1600; /* longer side at which one's own picture is kept */

  /* A network in a worker of its own, so that the page never waits for it: what it is asked while it computes it
     answers afterwards, only the last of it. First comes the `answer`, then the `projection`. */
  function computer(network, heard) {
    const program = `
      const { unpacked, answered, projected } = (${computing})(${SIDE});
      const ready = unpacked(${JSON.stringify(network)});
      ready.catch((fault) => setTimeout(() => { throw fault; })); /* else the page would not hear of it */
      onmessage = async ({ data: asked }) => {
        const network = await ready;
        const began = performance.now();
        const answer = answered(network, asked.pixels);
        postMessage({ ...asked, answer, took: performance.now() - began });
        postMessage({ ...asked, projection: projected(network, answer, asked.filter) });
      };`;
    const worker = new Worker(URL.createObjectURL(new Blob([program])));
    let [busy, next] = [false, null];
    const ask = (asked) => {
      [next, busy] = [busy ? asked : null, true];
      if (!next) worker.postMessage(asked);
    };
    worker.addEventListener("message", ({ data: told }) => {
      heard(told);
      busy = !told.projection;
      if (!busy && next) ask(next);
    });
    worker.addEventListener("error", unable);
    return ask;
  }

  const unable = () => board.replaceWith(still);

  /* ---- pictures ---- */

  const luma = (rgba, k) => Math.round(0.299 * rgba[4 * k] + 0.587 * rgba[4 * k + 1] + 0.114 * rgba[4 * k + 2]);

  function drawn(source, width, height) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, width, height);
    return { canvas, rgba: context.getImageData(0, 0, width, height).data };
  }

  /* Grey values of a window brought to SIDE × SIDE as readers do: a triangle as wide as the step, at least 1; beyond
     the picture its edge goes on. One axis after the other. */
  function cut(rgba, width, height, { left, top, side }) {
    const scale = side / SIDE;
    const reach = Math.max(scale, 1);
    const taps = (start, most) =>
      Array.from({ length: SIDE }, (_, place) => {
        const centre = start + (place + 0.5) * scale;
        const found = [];
        for (let k = Math.floor(centre - reach); k < centre + reach; k++) {
          const weight = 1 - Math.abs(k + 0.5 - centre) / reach;
          if (weight > 0) found.push([Math.min(Math.max(k, 0), most - 1), weight]);
        }
        const sum = found.reduce((total, [, weight]) => total + weight, 0);
        return found.map(([k, weight]) => [k, weight / sum]);
      });
    const [across, down] = [taps(left, width), taps(top, height)];
    const mixed = (weighted, value) => weighted.reduce((total, [k, weight]) => total + weight * value(k), 0);
    const rows = new Map();
    const row = (y) => {
      if (!rows.has(y)) rows.set(y, across.map((each) => mixed(each, (x) => luma(rgba, y * width + x))));
      return rows.get(y);
    };
    const out = new Uint8Array(SIDE * SIDE);
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        out[y * SIDE + x] = Math.round(mixed(down[y], (v) => row(v)[x]));
      }
    }
    return out;
  }

  /* The window of a face by its eyes; the lips are taken to lie as in the average rendered face. */
  function framed([one, other]) {
    const apart = Math.hypot(one.x - other.x, one.y - other.y);
    const side = data.side * apart;
    const [x, y] = [(one.x + other.x) / 2, (one.y + other.y) / 2 + data.down * apart];
    return { left: x - side / 2, top: y - side / 2, side };
  }

  /* ---- the page ---- */

  function start(sheet) {
    board.replaceChildren(document.getElementById("live-controls").content);
    const find = (selector) => board.querySelector(selector);
    const all = (selector) => [...board.querySelectorAll(selector)];
    const say = (text) => {
      find(".said").textContent = text;
    };
    const changes = Object.fromEntries(all("[data-change]").map((each) => [each.dataset.change, each]));
    const units = all(".unit").map(({ children: [select, range, told] }) => ({ select, range, told }));
    const number = new Map(data.codes.map((code, place) => [code, place]));
    const face = find(".brushed");
    const brushed = new Uint8Array(SIDE * SIDE);
    const cursor = { x: SIDE / 2, y: SIDE / 2, shown: false };
    let base = null;
    let pixels = new Uint8Array(SIDE * SIDE);
    let chosen = data.filter;
    let own = null;
    let due = 0;
    let turn = 0; /* of what is asked */
    const ready = {}; /* the turn that each network has answered */
    const video = find("video");
    const camera = find("[data-do=camera]");

    function stopCamera() {
      for (const track of video.srcObject?.getTracks() ?? []) track.stop();
      video.srcObject = null;
      video.hidden = true;
      camera.textContent = "Camera";
    }

    function render(on) {
      const place = number.get(on.map(({ au, letter }) => au + letter).join("+"));
      const [left, top] = [(place % data.columns) * SIDE, Math.floor(place / data.columns) * SIDE];
      const width = data.columns * SIDE;
      base = Uint8Array.from({ length: SIDE * SIDE }, (_, k) => {
        const at = (top + Math.floor(k / SIDE)) * width + left + (k % SIDE);
        return sheet.rgba[4 * at];
      });
      find(".framing").hidden = true;
      own = null;
      stopCamera();
      say("");
      ask();
    }

    /* The face as it is changed: shifted with its edges going on, contrast about its mean, lighter, brushed. */
    function change() {
      const value = Object.fromEntries(Object.entries(changes).map(([name, input]) => [name, Number(input.value)]));
      const mean = base.reduce((total, each) => total + each, 0) / base.length;
      const within = (place) => Math.min(Math.max(place, 0), SIDE - 1);
      for (const [name, input] of Object.entries(changes)) {
        input.nextElementSibling.textContent = value[name];
      }
      pixels = brushed.map((grey, k) => {
        const from = within(Math.floor(k / SIDE) - value.down) * SIDE + within((k % SIDE) - value.right);
        const turned = Math.round(mean + value.contrast * (base[from] - mean) + value.lighter);
        return grey ? GREY : Math.min(Math.max(turned, 0), 255);
      });
    }

    /* Grey values on a canvas; where `energy` is given, in vermilion what drove a filter. */
    function paint(canvas, greys, energy) {
      canvas.width = canvas.height = SIDE;
      const context = canvas.getContext("2d");
      const image = context.createImageData(SIDE, SIDE);
      const most = energy ? Math.max(...energy.map(Math.abs)) || 1 : 1;
      greys.forEach((grey, k) => {
        const share = energy ? 0.85 * Math.sqrt(Math.abs(energy[k]) / most) : 0;
        const ground = energy ? (255 + 2 * grey) / 3 : grey;
        [0xd5, 0x5e, 0x00].forEach((heat, c) => {
          image.data[4 * k + c] = (1 - share) * ground + share * heat;
        });
        image.data[4 * k + 3] = 255;
      });
      context.putImageData(image, 0, 0);
      return context;
    }

    const networks = [
      computer(data.trained, (told) => (told.answer ? tell(told) : drove("trained", told))),
      computer(data.untrained, (told) => told.projection && drove("untrained", told)),
    ];

    function ask() {
      cancelAnimationFrame(due);
      due = requestAnimationFrame(answer);
    }

    function answer() {
      change();
      const context = paint(face, pixels);
      if (cursor.shown) {
        context.strokeStyle = "#d55e00";
        context.strokeRect(cursor.x - REACH, cursor.y - REACH, 2 * REACH + 1, 2 * REACH + 1);
      }
      turn += 1;
      board.setAttribute("aria-busy", "true");
      for (const each of networks) each({ pixels, filter: chosen, turn });
    }

    function tell({ answer: { logits, maxima }, filter, took }) {
      const most = Math.max(...logits);
      const powers = [...logits].map((each) => Math.exp(each - most));
      const sum = powers.reduce((total, each) => total + each, 0);
      const top = logits.indexOf(most);
      find(".result").textContent = `Most probable: ${data.classes[top]}, ${Math.round(100 / sum)} %.`;
      find(".time").textContent = `${Math.round(took)} ms for this face, in this browser.`;
      all(".emotions li").forEach((row, k) => {
        row.querySelector(".bar").style.setProperty("--value", powers[k] / sum);
        row.querySelector("b").textContent = `${((100 * powers[k]) / sum).toFixed(1)} %`;
        row.querySelector("i").textContent = logits[k].toFixed(2).replace("-", "−");
      });
      all(".filters label").forEach((tile, k) => {
        tile.style.setProperty("--value", Math.min(maxima[k] / (data.most[k] || 1), 1));
      });
      const share = Math.round((100 * maxima[filter]) / (data.most[filter] || 1));
      find(".filter h3").textContent = `Filter ${filter}`;
      const verdict = `${verdictOf(filter)} Its response is ${maxima[filter].toFixed(2)} here`;
      find(".verdict").textContent = `${verdict}, ${share} % of its largest response to any rendered face.`;
    }

    function drove(name, told) {
      const canvas = find(`canvas.${name}`);
      paint(canvas, told.pixels, told.projection);
      canvas.setAttribute("aria-label", `What drives filter ${told.filter} of the ${name} network`);
      canvas.nextElementSibling.textContent = name;
      ready[name] = told.turn;
      board.setAttribute("aria-busy", String(ready.trained !== turn || ready.untrained !== turn));
    }

    function verdictOf(filter) {
      const told = data.verdicts[filter];
      if (!told) return "It is not assigned to a unit.";
      const [au, mover] = told;
      const name = data.names[au] ? `${au}, ${data.names[au]}` : au;
      if (au === mover) {
        return `Confirmed for ${name}: assigned to this unit, and responds most to it.`;
      }
      return `Assigned to ${name}, but ${mover ? `responds most to ${mover}` : "no activated unit raises its response"}.`;
    }

    for (const name of data.classes) {
      const bar = node("span", { className: "bar" });
      const row = [node("span", { textContent: name }), bar, node("b"), node("i", { title: "logit" })];
      find(".emotions ul").append(node("li", {}, ...row));
    }
    data.verdicts.forEach((told, k) => {
      const input = node("input", { type: "radio", name: "live-filter", value: k, checked: k === chosen });
      const mark = told ? `${told[0] === told[1] ? "✓" : "~"} ${told[0].slice(2)}` : "";
      input.setAttribute("aria-label", `Filter ${k}. ${verdictOf(k)}`);
      input.addEventListener("change", () => {
        chosen = k;
        ask();
      });
      const className = told && told[0] === told[1] ? "yes" : "";
      const words = [node("b", { textContent: k }), node("span", { textContent: mark })];
      find(".filters .grid").append(node("label", { className }, input, ...words));
    });

    /* Brushing. */
    function brush(x, y) {
      for (let v = -REACH; v <= REACH; v++) {
        for (let u = -REACH; u <= REACH; u++) {
          if (x + u >= 0 && x + u < SIDE && y + v >= 0 && y + v < SIDE) brushed[(y + v) * SIDE + x + u] = 1;
        }
      }
      ask();
    }

    function place(event, canvas) {
      const box = canvas.getBoundingClientRect();
      const at = (position, from, length, pixelsThere) => Math.floor(((position - from) / length) * pixelsThere);
      return {
        x: at(event.clientX, box.left, box.width, canvas.width),
        y: at(event.clientY, box.top, box.height, canvas.height),
      };
    }

    function stroke(event) {
      if (event.type === "pointerdown") face.setPointerCapture(event.pointerId);
      if (event.buttons) {
        cursor.shown = false;
        const { x, y } = place(event, face);
        brush(x, y);
      }
    }
    face.addEventListener("pointerdown", stroke);
    face.addEventListener("pointermove", stroke);
    /* Moves a cross by the arrow keys; says whether the key was one. */
    function moved(event, at, step, canvas) {
      if (event.altKey || event.ctrlKey || event.metaKey) return false;
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (by) {
        at.x = Math.min(Math.max(at.x + step * by[0], 0), canvas.width - 1);
        at.y = Math.min(Math.max(at.y + step * by[1], 0), canvas.height - 1);
        event.preventDefault();
      }
      return Boolean(by);
    }
    face.addEventListener("keydown", (event) => {
      cursor.shown = moved(event, cursor, 1, face) || cursor.shown;
      if (event.key === " ") {
        event.preventDefault();
        brush(cursor.x, cursor.y);
      }
      ask();
    });
    face.addEventListener("blur", () => {
      cursor.shown = false;
      ask();
    });
    for (const input of Object.values(changes)) input.addEventListener("input", ask);
    find("[data-do=reset]").addEventListener("click", () => {
      for (const input of Object.values(changes)) input.value = input.defaultValue;
      brushed.fill(0);
      ask();
    });

    /* One's own picture. */
    const canvas = find(".framing canvas");

    function show() {
      const context = canvas.getContext("2d");
      context.drawImage(own.canvas, 0, 0, canvas.width, canvas.height);
      context.lineWidth = 3;
      for (const { x, y } of [...own.eyes, own.cross]) {
        context.strokeStyle = "#d55e00";
        context.strokeRect(x - 8, y - 8, 16, 16);
        context.strokeStyle = "#fff";
        context.strokeRect(x - 11, y - 11, 22, 22);
      }
    }

    function take(source, width, height) {
      const shrink = Math.min(1, WIDEST / Math.max(width, height));
      const size = [width, height].map((each) => Math.max(1, Math.round(each * shrink)));
      own = { ...drawn(source, ...size), eyes: [], cross: { x: size[0] / 2, y: size[1] / 2 } };
      [canvas.width, canvas.height] = size;
      own.view = Math.min(1, 480 / Math.max(...size));
      find(".framing").hidden = canvas.hidden = false;
      show();
      say("No eyes are marked yet: click the middle of one eye, then of the other.");
    }

    function mark(at) {
      own.eyes = [...(own.eyes.length > 1 ? [] : own.eyes), at];
      show();
      if (own.eyes.length < 2) {
        say("One eye is marked; now the other.");
        return;
      }
      const window = framed(own.eyes);
      if (window.side < 8 * data.side) {
        own.eyes = [];
        say("These two places are less than 8 pixels apart: mark both eyes again.");
        return;
      }
      base = cut(own.rgba, own.canvas.width, own.canvas.height, window);
      say("This is your picture, framed by the eyes. It stays in this page. A further click marks the eyes anew.");
      ask();
    }
    canvas.addEventListener("click", (event) => mark(place(event, canvas)));
    canvas.addEventListener("keydown", (event) => {
      if (moved(event, own.cross, Math.ceil((event.shiftKey ? 20 : 3) / own.view), canvas)) {
        show();
      } else if (event.key === "Enter") {
        mark({ ...own.cross });
      }
    });

    async function read(file) {
      if (!file) return;
      stopCamera();
      try {
        const image = await createImageBitmap(file, { imageOrientation: "from-image" });
        take(image, image.width, image.height);
        image.close();
      } catch {
        say(`${file.name} is not a picture that this browser can read.`);
      }
    }
    const input = find("input[type=file]");
    input.addEventListener("change", () => {
      read(input.files[0]);
      input.value = ""; // the same file can be chosen again
    });
    board.addEventListener("dragover", (event) => event.preventDefault());
    board.addEventListener("drop", (event) => {
      event.preventDefault();
      read(event.dataTransfer.files[0]);
    });
    camera.hidden = !navigator.mediaDevices?.getUserMedia;
    camera.addEventListener("click", async () => {
      if (video.srcObject) {
        take(video, video.videoWidth, video.videoHeight);
        stopCamera();
        return;
      }
      camera.disabled = true; // until the reader has allowed it or not
      try {
        video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
        await video.play();
        find(".framing").hidden = video.hidden = false;
        canvas.hidden = true;
        camera.textContent = "Take this picture";
      } catch {
        stopCamera();
        say("The browser gives this page no camera; a picture file does as well.");
      }
      camera.disabled = false;
    });

    board.shown = () => pixels;
    unitControls(data, units, render)();
  }

  async function open() {
    const image = new Image();
    image.src = data.sheet;
    await image.decode();
    start(drawn(image, image.width, image.height));
  }
  open().catch(unable);
})();
