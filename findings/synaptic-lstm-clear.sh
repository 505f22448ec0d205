#!/usr/bin/env bash
# synaptic 1.1.4 (npm), Architect.LSTM: clear() keeps the memory, and standalone() has none.
#
# Expected: clear() is documented as making a network forget its context, so that the next sequence begins like the first.
#   standalone() is documented as the same network as one function. neataptic, its descendant, does both.
# Happens: clear() empties the traces that training needs; states and activations stay, and the sequence gives other
#   numbers. Only toJSON()/fromJSON() of a network that was never run starts anew. standalone() writes all states back
#   at each call: the same input gives the same answer at every step, so it is no recurrent network.
# Output seen (one sequence, 1 0 0 0 1):
#   fresh: 0.5427 0.4904 0.5104 0.5145 0.5667
#   after clear(): off by 0.0120   loaded anew (control): off by 0.0000   neataptic, after clear() (control): off by 0.0000
#   standalone(): its answers to the input 0 at steps 2, 3, 4 differ by 0.000000, activate()'s by 0.024079
# Upstream: synaptic#309 and #197 (clear), #239 (standalone), no repair in a release. Who is hit: everyone who runs or
#   trains on more than one sequence, and who ships the function. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y > /dev/null
npm install --silent --ignore-scripts 'synaptic@1.1.4' 'neataptic@1.4.7' > /dev/null
cat > look.js <<'JS'
const synaptic = require("synaptic");
const neataptic = require("neataptic");

let seed = 1;                                            // weights in -2..2 from a generator of our own
const draw = () => (seed = (seed * 16807) % 2147483647) / 2147483647 * 4 - 2;
const sequence = activate => [1, 0, 0, 0, 1].map(x => activate([x])[0]);
const off = (a, b) => Math.max(...a.map((v, i) => Math.abs(v - b[i])));

const json = new synaptic.Architect.LSTM(1, 2, 1).toJSON();
for (const c of json.connections) if (c.from !== c.to) c.weight = draw();      // the memory's own weight stays 1
for (const n of json.neurons) n.bias = draw();
const load = () => synaptic.Network.fromJSON(JSON.parse(JSON.stringify(json)));

const net = load();
const fresh = sequence(x => net.activate(x));
net.clear();
const cleared = sequence(x => net.activate(x));
const other = load();
const loaded = sequence(x => other.activate(x));
const alone = sequence(load().standalone());

const heir = new neataptic.architect.LSTM(1, 2, 1);
for (const c of heir.connections) c.weight = draw();
heir.clear();
const first = sequence(x => heir.activate(x));
heir.clear();
const second = sequence(x => heir.activate(x));

const say = v => v.toFixed(4);
const spread = a => Math.max(...a.slice(1, 4)) - Math.min(...a.slice(1, 4));
console.log(`fresh: ${fresh.map(say).join(" ")}`);
console.log(`after clear(): off by ${say(off(fresh, cleared))}   loaded anew (control): off by ${say(off(fresh, loaded))}` +
  `   neataptic, after clear() (control): off by ${say(off(first, second))}`);
console.log(`standalone(): its answers to the input 0 at steps 2, 3, 4 differ by ${spread(alone).toFixed(6)}, ` +
  `activate()'s by ${spread(fresh).toFixed(6)}`);
const same = off(fresh, cleared) > 1e-4 && off(fresh, loaded) < 1e-9 && off(first, second) < 1e-9 &&
  spread(alone) === 0 && spread(fresh) > 1e-5;
if (!same) { console.error("the behaviour has changed"); process.exit(1); }
JS
node look.js
