#!/usr/bin/env bash
# keras-js 1.0.3 (npm), CPU: a LeakyReLU or ELU behind a stateful recurrent layer changes the layer's state, and an
#   answer that was given changes at the next call.
#
# Expected: what Keras does. Ten steps at once, and one by one in a stateful layer, end in the same numbers, whatever
#   stands behind the layer; an answer is the caller's.
# Happens: without return_sequences a stateful layer puts out the very array that it keeps its state in. These two layers work
#   in the place of their input (Activation("relu") makes a copy), so the next call begins with the activated state.
# Output seen (ten steps at once against one by one; the last number is by how much the first answer moved):
#   SimpleRNN: nothing behind 0.0000, Activation relu 0.0000, LeakyReLU 0.3984, ELU 0.1603, first answer moved by 1.1840
#   GRU: nothing behind 0.0000, Activation relu 0.0000, LeakyReLU 0.1643, ELU 0.1626, first answer moved by 0.3182
#   LSTM: nothing behind 0.0000, Activation relu 0.0000, LeakyReLU 0.1532, ELU 0.0176, first answer moved by 0.3636
# Upstream: none found. Who is hit: whoever streams through a converted model in a browser. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y > /dev/null
npm install --silent --ignore-scripts 'keras-js@1.0.3' > /dev/null
cat > look.js <<'JS'
const { layers } = require("keras-js");
const Tensor = require("keras-js/lib/Tensor.js").default;

const D = 3, M = 4, T = 10;
let seed = 1;                                            // weights and inputs in -1..1 from a generator of our own
const draw = n => Array.from({ length: n }, () => (seed = (seed * 16807) % 2147483647) / 2147483647 * 2 - 1);
const off = (a, b) => Math.max(...a.map((v, i) => Math.abs(v - b[i])));
const BEHIND = {
  "nothing behind": null, "Activation relu": () => new layers.Activation({ activation: "relu" }),
  LeakyReLU: () => new layers.LeakyReLU({ alpha: 0.1 }), ELU: () => new layers.ELU({ alpha: 1 }) };
let same = true;

for (const [name, gates] of [["SimpleRNN", 1], ["GRU", 3], ["LSTM", 4]]) {
  const weights = [[D, gates * M], [M, gates * M], [gates * M]].map(s => [draw(s.reduce((a, b) => a * b)), s]);
  const x = draw(T * D);
  const build = stateful => {
    const layer = new layers[name]({ units: M, activation: "tanh", recurrent_activation: "hard_sigmoid", stateful });
    layer.setWeights(weights.map(([w, s]) => new Tensor(w, s)));
    return layer;
  };
  const run = (layer, behind, from, to) => {             // as Model.predict() goes through its layers
    const h = layer.call(new Tensor(x.slice(from * D, to * D), [to - from, D]));
    return (behind ? behind.call(h) : h).tensor.data;
  };
  const seen = Object.entries(BEHIND).map(([what, make]) => {
    const behind = make && make();
    const whole = Array.from(run(build(false), behind, 0, T)), layer = build(true);
    for (let t = 0; t < T - 1; t++) run(layer, behind, t, t + 1);
    return [what, off(whole, Array.from(run(layer, behind, T - 1, T)))];
  });
  const layer = build(true), first = run(layer, null, 0, 1), copy = Array.from(first);
  run(layer, null, 1, 2);
  const moved = off(copy, Array.from(first));
  const said = seen.map(([k, v]) => `${k} ${v.toFixed(4)}`).join(", ");
  console.log(`${name}: ${said}, first answer moved by ${moved.toFixed(4)}`);
  same = same && seen[0][1] < 1e-5 && seen[1][1] < 1e-5 && seen[2][1] > 1e-3 && seen[3][1] > 1e-3 && moved > 1e-3;
}
if (!same) { console.error("the behaviour has changed"); process.exit(1); }
JS
node look.js
