/* What computes in the page: layers as in fer_lib/nets/zero_bias.py, projections as in fer_lib/look/deconvolution.py
   with the rule `deconv`, for pictures of SIDE × SIDE pixels. It hangs on nothing else, so that its text is all that
   a worker needs. */

globalThis.suite.computing = (SIDE) => {
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

  return { unpacked, answered, projected };
};
