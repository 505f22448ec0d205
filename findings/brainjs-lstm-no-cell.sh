#!/usr/bin/env bash
# brain.js 1.6.1 (npm), recurrent.LSTM and recurrent.LSTMTimeStep: they have no cell state.
#
# Expected: an LSTM: c' = f c + i g, h' = o tanh(c'). Two states go from step to step, and c is not gated by o. All
#   twelve matrices and biases of one are there, under the usual names.
# Happens: the forget gate is multiplied by the last *output*: h' = o tanh(f h + i g). Nothing else is carried on, so
#   |h| stays below 1, the output gate acts on the memory anew at each step, and an open forget gate does not keep a
#   value. The first step is an LSTM's (it starts at 0), the later ones are not. GRUTimeStep is a GRU.
# Output seen (fixed weights, three steps of input):
#   GRUTimeStep: 1 step: off a GRU by 0.0000   3 steps: off a GRU by 0.0000
#   LSTMTimeStep: 1 step: off an LSTM by 0.0000   3 steps: off an LSTM by 0.0345, off "f h" in place of "f c" by 0.0000
# Upstream: none found. Who is hit: who moves weights of brain.js to another library or back, and who expects a long
#   memory. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y > /dev/null
npm install --silent --ignore-scripts 'brain.js@1.6.1' > /dev/null
cat > look.js <<'JS'
const { recurrent } = require("brain.js");

let seed = 1;                                            // weights in -1..1 from a generator of our own
const draw = () => (seed = (seed * 16807) % 2147483647) / 2147483647 * 2 - 1;
const sigmoid = v => v.map(a => 1 / (1 + Math.exp(-a)));
const tanh = v => v.map(Math.tanh);
const add = (...vs) => vs[0].map((_, i) => vs.reduce((sum, v) => sum + v[i], 0));
const times = (a, b) => a.map((v, i) => v * b[i]);
const flat = m => Object.values(m.weights);
const row = (m, r) => flat(m).slice(r * m.columns, (r + 1) * m.columns);
const apply = (m, v) => Array.from({ length: m.rows }, (_, r) => row(m, r).reduce((sum, w, c) => sum + w * v[c], 0));

function network(kind) {
  const net = new recurrent[kind]({ inputSize: 1, hiddenLayers: [3], outputSize: 1 });
  net.train([[0.1, 0.2, 0.3]], { iterations: 1 });       // makes the matrices
  const json = JSON.parse(JSON.stringify(net.toJSON()));
  for (const m of [...Object.values(json.hiddenLayers[0]), json.outputConnector, json.output])
    for (const k of Object.keys(m.weights)) m.weights[k] = draw();
  const loaded = new recurrent[kind]();
  loaded.fromJSON(json);
  return [loaded, json];
}

function textbook(json, xs, step) {
  const layer = json.hiddenLayers[0];
  const gate = (f, w, r, b, x, h) => f(add(apply(layer[w], [x]), apply(layer[r], h), flat(layer[b])));
  let h = [0, 0, 0], c = [0, 0, 0];
  for (const x of xs) [h, c] = step(gate, x, h, c);
  return add(apply(json.outputConnector, h), flat(json.output))[0];
}

const gru = (gate, x, h, c) => {
  const z = gate(sigmoid, "updateGateInputMatrix", "updateGateHiddenMatrix", "updateGateBias", x, h);
  const r = gate(sigmoid, "resetGateInputMatrix", "resetGateHiddenMatrix", "resetGateBias", x, h);
  const g = gate(tanh, "cellWriteInputMatrix", "cellWriteHiddenMatrix", "cellWriteBias", x, times(r, h));
  return [h.map((v, i) => z[i] * v + (1 - z[i]) * g[i]), c];
};
const lstm = kept => (gate, x, h, c) => {
  const [i, f, o] = ["input", "forget", "output"].map(n => gate(sigmoid, `${n}Matrix`, `${n}Hidden`, `${n}Bias`, x, h));
  const g = gate(tanh, "cellActivationMatrix", "cellActivationHidden", "cellActivationBias", x, h);
  const next = add(times(f, kept === "h" ? h : c), times(i, g));
  return [times(o, tanh(next)), next];
};

const one = [0.9], three = [0.9, -0.4, 0.7];
const [g, gJson] = network("GRUTimeStep");
const [l, lJson] = network("LSTMTimeStep");
const off = (net, json, xs, step) => Math.abs(net.run(xs) - textbook(json, xs, step));
const control = [off(g, gJson, one, gru), off(g, gJson, three, gru)];
const seen = [off(l, lJson, one, lstm("c")), off(l, lJson, three, lstm("c")), off(l, lJson, three, lstm("h"))];
const say = v => v.toFixed(4);
console.log(`GRUTimeStep: 1 step: off a GRU by ${say(control[0])}   3 steps: off a GRU by ${say(control[1])}`);
console.log(`LSTMTimeStep: 1 step: off an LSTM by ${say(seen[0])}   3 steps: off an LSTM by ${say(seen[1])}, ` +
  `off "f h" in place of "f c" by ${say(seen[2])}`);
const same = Math.max(...control, seen[0], seen[2]) < 1e-5 && seen[1] > 1e-2;
if (!same) { console.error("the behaviour has changed"); process.exit(1); }
JS
node look.js
