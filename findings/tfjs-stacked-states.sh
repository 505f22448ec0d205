#!/usr/bin/env bash
# TensorFlow.js 4.22.0 (npm): the states of rnn({cell: [a, b]}) are those of b first, given and returned.
#
# Expected: states in the order of the cells, as in Keras since 2.2.3 and tf.keras, whose API and model files this
#   library follows.
# Happens: initialState and returnState have the last cell's states first (the order of Keras before 2.2.3). With cells
#   of equal size nothing tells.
# Output seen (a keeps its state, b doubles it in each of 3 steps; initialState [5, 7], Keras: output 56, states 5 56):
#   output 40, states 40 7
#   units 2 and 3: shapes of the states 1,3 1,2
# Upstream: none found. Who is hit: an encoder's states handed to a decoder that runs elsewhere, recorded states, a Keras
#   model with stacked cells that is given states. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y > /dev/null
npm install --silent --ignore-scripts '@tensorflow/tfjs@4.22.0' > /dev/null
cat > look.js <<'JS'
console.log_ = console.log; console.log = console.warn = () => {};          // the library greets
const tf = require("@tensorflow/tfjs");

tf.setBackend("cpu");
const x = tf.zeros([1, 3, 1]);
const constant = value => tf.initializers.constant({ value });
const cell = (units, recurrent) => tf.layers.simpleRNNCell({
  units, useBias: false, activation: "linear", kernelInitializer: constant(0), recurrentInitializer: constant(recurrent) });

const layer = tf.layers.rnn({ cell: [cell(1, 1), cell(1, 2)], returnState: true });
const initialState = [tf.tensor([[5]]), tf.tensor([[7]])];
const [output, ...states] = layer.apply(x, { initialState }).map(t => t.arraySync()[0][0]);
console.log_(`output ${output}, states ${states.join(" ")}`);

const other = tf.layers.rnn({ cell: [cell(2, 1), cell(3, 2)], returnState: true });
const shapes = other.apply(x).slice(1).map(t => t.shape.join(","));
console.log_(`units 2 and 3: shapes of the states ${shapes.join(" ")}`);
const same = output === 40 && states.join() === "40,7" && shapes.join(" ") === "1,3 1,2";
if (!same) { console.error("the behaviour has changed"); process.exit(1); }
JS
node look.js
