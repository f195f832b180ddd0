/* The network in the page. Layers as in fer_lib/nets/zero_bias.py, projections as in fer_lib/look/deconvolution.py
   with the rule `deconv`. Nothing is asked of another machine; without this script a still picture stands there. */

(() => {
  const { node, unitControls } = globalThis.suite;
  const board = document.getElementById("live");
  const packed = document.getElementById("live-data");
  if (!board || !packed) {
    return;
  }
  const data = JSON.parse(packed.textContent);
  const SIDE = data.size;
  const GREY = 128; /* what the brush leaves */
  const REACH = 3; /* of the brush, in pixels */
  const WIDEST = 1600; /* longer side at which one's own picture is kept */

  /* ---- the network ---- */

  async function unpacked(network) {
    const bytes = Uint8Array.from(atob(network.weights), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const whole = new Int8Array(await new Response(stream).arrayBuffer());
    let start = 0;
    return network.shapes.map((shape, layer) => {
      const length = shape.slice(1).reduce((product, each) => product * each, 1);
      const weights = new Float32Array(shape[0] * length);
      for (let k = 0; k < weights.length; k++) {
        weights[k] = whole[start + k] * network.scales[layer][Math.floor(k / length)];
      }
      start += weights.length;
      const made = { weights, length, filters: shape[0], biases: network.biases[layer] };
      return shape.length === 4 ? { ...made, points: atPoints(made) } : made;
    });
  }

  /* Pixels of [0, 1] times two, minus the mean of the 5×5 around each; in whole numbers, so that an even patch is 0. */
  function standardised(pixels) {
    const out = new Float32Array(SIDE * SIDE);
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        let sum = 0;
        for (let v = Math.max(0, y - 2); v <= Math.min(SIDE - 1, y + 2); v++) {
          for (let u = Math.max(0, x - 2); u <= Math.min(SIDE - 1, x + 2); u++) {
            sum += pixels[v * SIDE + u];
          }
        }
        out[y * SIDE + x] = (2 * (25 * pixels[y * SIDE + x] - sum)) / (25 * 255);
      }
    }
    return out;
  }

  /* Convolutions go by tiles of 4×4 values, each from 8×8 below it, with 64 multiplications in place of 400 (Winograd,
     as in Lavin & Gray 2016, arXiv 1509.09308): both are taken for polynomials, known by their values at 8 points. */
  const POINTS = [0, 1, -1, 2, -2, 0.5, -0.5];
  const WINDOW = POINTS.length + 1;
  const TILE = 4;
  const TINY = 1e-7; /* what rounding leaves of 0 */

  /* Values at the points, the last at infinity, of polynomials with so many coefficients: WINDOW rows. */
  function evaluating(length) {
    const powers = (point) => Array.from({ length }, (_, power) => point ** power);
    return [...POINTS.map(powers), powers(0).map((_, power) => Number(power === length - 1))];
  }

  /* Coefficients of the polynomials that are 1 at one of the points and 0 at the others: WINDOW rows. */
  function interpolating() {
    const times = (of, point) => [...of, 0].map((_, k) => (k ? of[k - 1] : 0) - point * (k < of.length ? of[k] : 0));
    const product = (points) => points.reduce(times, [1]);
    const rows = POINTS.map((point) => {
      const others = POINTS.filter((each) => each !== point);
      const scale = others.reduce((total, each) => total * (point - each), 1);
      return [...product(others).map((each) => each / scale), 0];
    });
    return [...rows, product(POINTS)];
  }

  const matrix = (rows) => ({ rows: rows.length, columns: rows[0].length, at: Float64Array.from(rows.flat()) });
  const flipped = (rows) => rows[0].map((_, k) => rows.map((row) => row[k]));
  const KERNEL = matrix(evaluating(5));
  const BELOW = matrix(interpolating());
  const ABOVE = matrix(flipped(evaluating(TILE)));
  const half = new Float64Array(WINDOW * WINDOW);

  /* `out` = the matrix times the square `from` times the matrix transposed. */
  function turned({ rows, columns, at }, from, out) {
    for (let r = 0; r < rows; r++) {
      for (let x = 0; x < columns; x++) {
        let sum = 0;
        for (let c = 0; c < columns; c++) {
          sum += at[r * columns + c] * from[c * columns + x];
        }
        half[x] = sum;
      }
      for (let q = 0; q < rows; q++) {
        let sum = 0;
        for (let c = 0; c < columns; c++) {
          sum += at[q * columns + c] * half[c];
        }
        out[r * rows + q] = sum;
      }
    }
  }

  /* The weights of a convolution at the points: point, filter, channel. */
  function atPoints({ weights, length, filters }) {
    const pairs = (filters * length) / 25;
    const out = new Float64Array(WINDOW * WINDOW * pairs);
    const points = new Float64Array(WINDOW * WINDOW);
    for (let pair = 0; pair < pairs; pair++) {
      turned(KERNEL, weights.subarray(25 * pair, 25 * pair + 25), points);
      points.forEach((value, q) => {
        out[q * pairs + pair] = value;
      });
    }
    return out;
  }

  /* 5×5 convolution that keeps the size, then ReLU. */
  function convolved(maps, side, layer) {
    const { filters, points } = layer;
    const channels = layer.length / 25;
    const across = side / TILE;
    const tiles = across * across + (across % 2); /* in pairs; the last may be empty */
    const size = WINDOW * WINDOW;
    const below = new Float64Array(size * tiles * channels);
    const [square, told] = [new Float64Array(size), new Float64Array(size)];
    for (let t = 0; t < across * across; t++) {
      const [left, top] = [(t % across) * TILE - 2, Math.floor(t / across) * TILE - 2];
      for (let c = 0; c < channels; c++) {
        for (let k = 0; k < size; k++) {
          const [x, y] = [left + (k % WINDOW), top + ((k / WINDOW) | 0)];
          square[k] = x >= 0 && y >= 0 && x < side && y < side ? maps[(c * side + y) * side + x] : 0;
        }
        turned(BELOW, square, told);
        for (let q = 0; q < size; q++) {
          below[(q * tiles + t) * channels + c] = told[q];
        }
      }
    }
    /* At each point: four filters at two tiles at a time. */
    const above = new Float64Array(size * filters * tiles);
    for (let q = 0; q < size; q++) {
      for (let k = 0; k < filters; k += 4) {
        const k0 = (q * filters + k) * channels;
        const [k1, k2, k3] = [k0 + channels, k0 + 2 * channels, k0 + 3 * channels];
        for (let t = 0; t < tiles; t += 2) {
          const left = (q * tiles + t) * channels;
          const right = left + channels;
          let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
          for (let c = 0; c < channels; c++) {
            const a = below[left + c];
            const b = below[right + c];
            const w0 = points[k0 + c];
            const w1 = points[k1 + c];
            const w2 = points[k2 + c];
            const w3 = points[k3 + c];
            a0 += a * w0; b0 += b * w0;
            a1 += a * w1; b1 += b * w1;
            a2 += a * w2; b2 += b * w2;
            a3 += a * w3; b3 += b * w3;
          }
          const row = tiles * size;
          const at = k * row + t * size + q;
          above[at] = a0; above[at + size] = b0;
          above[at + row] = a1; above[at + row + size] = b1;
          above[at + 2 * row] = a2; above[at + 2 * row + size] = b2;
          above[at + 3 * row] = a3; above[at + 3 * row + size] = b3;
        }
      }
    }
    const out = new Float32Array(filters * side * side);
    for (let k = 0; k < filters; k++) {
      for (let t = 0; t < across * across; t++) {
        const start = (k * tiles + t) * size;
        for (let i = 0; i < size; i++) {
          square[i] = above[start + i];
        }
        turned(ABOVE, square, told);
        const corner = (k * side + Math.floor(t / across) * TILE) * side + (t % across) * TILE;
        for (let i = 0; i < TILE * TILE; i++) {
          out[corner + (i >> 2) * side + (i & 3)] = told[i] > TINY ? told[i] : 0;
        }
      }
    }
    return out;
  }

  /* Largest values of squares of `step`, and where each stood: the switches. The first of several equal ones. */
  function pooled(maps, side, step) {
    const small = side / step;
    const values = new Float32Array(maps.length / (step * step));
    const places = new Int32Array(values.length);
    for (let to = 0; to < values.length; to++) {
      const x = to % small;
      const row = Math.floor(to / small); /* of all maps, one below the other */
      let best = row * step * side + x * step;
      for (let v = 0; v < step; v++) {
        for (let from = (row * step + v) * side + x * step, end = from + step; from < end; from++) {
          best = maps[from] > maps[best] ? from : best;
        }
      }
      values[to] = maps[best];
      places[to] = best;
    }
    return { values, places };
  }

  function dense(values, layer) {
    const out = new Float32Array(layer.filters);
    for (let k = 0; k < layer.filters; k++) {
      let sum = layer.biases[k];
      for (let i = 0; i < layer.length; i++) {
        sum += values[i] * layer.weights[k * layer.length + i];
      }
      out[k] = sum;
    }
    return out;
  }

  /* What a network of three convolutions, or of all five layers, answers to pixels, SIDE × SIDE of 0–255. */
  function answered(network, pixels) {
    const one = pooled(convolved(standardised(pixels), SIDE, network[0]), SIDE, 2);
    const two = pooled(convolved(one.values, SIDE / 2, network[1]), SIDE / 2, 2);
    const maps = convolved(two.values, SIDE / 4, network[2]);
    const largest = pooled(maps, SIDE / 4, SIDE / 4);
    let logits = null;
    if (network.length > 3) {
      const quarters = pooled(maps, SIDE / 4, SIDE / 8).values;
      logits = dense(dense(quarters, network[3]).map((value) => Math.max(value, 0)), network[4]);
    }
    return { logits, maxima: largest.values, places: largest.places, switches: [one.places, two.places] };
  }

  /* Down through a convolution, by its transpose. */
  function transposed(signal, side, layer) {
    const area = side * side;
    const out = new Float32Array((layer.length / 25) * area);
    for (let from = 0; from < signal.length; from++) {
      const value = signal[from];
      if (value === 0) {
        continue;
      }
      const [x, y] = [from % side, Math.floor(from / side) % side];
      const start = Math.floor(from / area) * layer.length;
      for (let dy = Math.max(-2, -y); dy <= Math.min(2, side - 1 - y); dy++) {
        for (let dx = Math.max(-2, -x); dx <= Math.min(2, side - 1 - x); dx++) {
          let weight = start + (dy + 2) * 5 + dx + 2;
          for (let to = (y + dy) * side + x + dx; to < out.length; to += area, weight += 25) {
            out[to] += value * layer.weights[weight];
          }
        }
      }
    }
    return out;
  }

  /* Down through a pooling to where each value came from, and through the ReLU below it what is positive. */
  function unpooled(signal, places, length) {
    const out = new Float32Array(length);
    signal.forEach((value, from) => {
      out[places[from]] = Math.max(value, 0);
    });
    return out;
  }

  /* What drove the largest value of `filter`: SIDE × SIDE, by pixels of the standardised picture. */
  function projected(network, answer, filter) {
    const signal = new Float32Array(answer.maxima.length * (SIDE / 4) ** 2);
    signal[answer.places[filter]] = answer.maxima[filter];
    const third = transposed(signal, SIDE / 4, network[2]);
    const second = transposed(unpooled(third, answer.switches[1], 4 * third.length), SIDE / 2, network[1]);
    return transposed(unpooled(second, answer.switches[0], 4 * second.length), SIDE, network[0]);
  }

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
          if (weight > 0) {
            found.push([Math.min(Math.max(k, 0), most - 1), weight]);
          }
        }
        const sum = found.reduce((total, [, weight]) => total + weight, 0);
        return found.map(([k, weight]) => [k, weight / sum]);
      });
    const [across, down] = [taps(left, width), taps(top, height)];
    const mixed = (weighted, value) => weighted.reduce((total, [k, weight]) => total + weight * value(k), 0);
    const rows = new Map();
    const row = (y) => {
      if (!rows.has(y)) {
        rows.set(y, across.map((each) => mixed(each, (x) => luma(rgba, y * width + x))));
      }
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

  function start(trained, untrained, sheet) {
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

    /* Grey pixels on a canvas; where `energy` is given, in vermilion what drove a filter. */
    function paint(canvas, energy) {
      canvas.width = canvas.height = SIDE;
      const context = canvas.getContext("2d");
      const image = context.createImageData(SIDE, SIDE);
      const most = energy ? Math.max(...energy.map(Math.abs)) || 1 : 1;
      pixels.forEach((grey, k) => {
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

    function ask() {
      cancelAnimationFrame(due);
      due = requestAnimationFrame(answer);
    }

    function answer() {
      change();
      const context = paint(face);
      if (cursor.shown) {
        context.strokeStyle = "#d55e00";
        context.strokeRect(cursor.x - REACH, cursor.y - REACH, 2 * REACH + 1, 2 * REACH + 1);
      }
      const began = performance.now();
      const found = answered(trained, pixels);
      const took = performance.now() - began;
      const beside = answered(untrained, pixels);
      find(".time").textContent = `${Math.round(took)} ms for this face, in this browser.`;
      const most = Math.max(...found.logits);
      const powers = [...found.logits].map((each) => Math.exp(each - most));
      const sum = powers.reduce((total, each) => total + each, 0);
      all(".emotions li").forEach((row, k) => {
        row.querySelector(".bar").style.setProperty("--value", powers[k] / sum);
        row.querySelector("b").textContent = `${((100 * powers[k]) / sum).toFixed(1)} %`;
        row.querySelector("i").textContent = found.logits[k].toFixed(2);
      });
      all(".filters label").forEach((tile, k) => {
        tile.style.setProperty("--value", Math.min(found.maxima[k] / (data.most[k] || 1), 1));
      });
      tell(found, beside);
    }

    function tell(found, beside) {
      const share = Math.round((100 * found.maxima[chosen]) / (data.most[chosen] || 1));
      find(".filter h3").textContent = `Filter ${chosen}`;
      const verdict = `${verdictOf(chosen)} It answers ${found.maxima[chosen].toFixed(2)} here`;
      find(".verdict").textContent = `${verdict}, ${share} % of its largest answer to the rendered faces.`;
      for (const [name, network, said] of [["trained", trained, found], ["untrained", untrained, beside]]) {
        const canvas = find(`canvas.${name}`);
        paint(canvas, projected(network, said, chosen));
        canvas.setAttribute("aria-label", `What drove filter ${chosen} of the ${name} network`);
        canvas.nextElementSibling.textContent = name;
      }
    }

    function verdictOf(filter) {
      const told = data.verdicts[filter];
      if (!told) {
        return "No unit was shown for it.";
      }
      const [au, mover] = told;
      const name = data.names[au] ? `${au}, ${data.names[au]}` : au;
      if (au === mover) {
        return `Verified for ${name}: of all units that one moves it most.`;
      }
      return `Goes with ${name}; but ${mover ? `${mover} moves it most` : "no unit switched on raises it"}.`;
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
          if (x + u >= 0 && x + u < SIDE && y + v >= 0 && y + v < SIDE) {
            brushed[(y + v) * SIDE + x + u] = 1;
          }
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
      if (event.type === "pointerdown") {
        face.setPointerCapture(event.pointerId);
      }
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
      if (event.altKey || event.ctrlKey || event.metaKey) {
        return false;
      }
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
      const view = Math.min(1, 480 / Math.max(...size));
      own.view = view;
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
      if (!file) {
        return;
      }
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

    /* For the console of the browser. */
    board.network = {
      shown: () => pixels,
      answers: (given, taught = true) => answered(taught ? trained : untrained, given),
      projection: (answer, filter, taught = true) => projected(taught ? trained : untrained, answer, filter),
    };
    unitControls(data, units, render)();
  }

  async function open() {
    const image = new Image();
    image.src = data.sheet;
    await image.decode();
    const sheet = drawn(image, image.width, image.height);
    start(await unpacked(data.trained), await unpacked(data.untrained), sheet);
  }
  open().catch(() => {
    board.append("This browser cannot unpack the network, so that only the still picture stands here.");
  });
})();
