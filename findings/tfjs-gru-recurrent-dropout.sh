#!/usr/bin/env bash
# TensorFlow.js 4.22.0 (npm), GRU: recurrentDropout multiplies the state itself, by up to 1 / (1 - rate) at each step.
#
# Expected: as its documentation says, units are dropped "for the linear transformation of the recurrent state", so that
#   a GRU's state, a mean of tanh values and the state before, stays within [-1, 1]. LSTM and SimpleRNN do so.
# Happens: in training the masked and enlarged state also goes into h = z h + (1 - z) c. A unit that holds its value
#   (z = 1) is 0 after one step or grows by the factor 2 at each step (rate .5), 1.11 (rate .1): 1024 after 10 steps.
# Output seen (z = 1, or f = 1 and o = 1; state 1; after 10 steps; who grows is drawn):
#   gru:  predict 1 1 1 1   training at .5: 0 1024 1024 1024   training at .1: 2.868 2.868 2.868 2.868
#   lstm (control): predict 0.762 0.762 0.762 0.762   training at .5: 0.762 0.762 0.762 0.762
# Upstream: none found for tfjs; Keras had it and repaired it (keras#20276, #20656). Who is hit: training of a GRU with
#   recurrentDropout over more than some 20 steps, and models brought over from Keras to train on. Silent, then NaN.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y > /dev/null
npm install --silent --ignore-scripts '@tensorflow/tfjs@4.22.0' > /dev/null
cat > look.js <<'JS'
console.log_ = console.log; console.log = console.warn = () => {};          // the library greets
const tf = require("@tensorflow/tfjs");

tf.setBackend("cpu");
const units = 4;
const x = tf.zeros([1, 10, 1]);
const gates = (...biases) => tf.tensor1d(biases.flatMap(b => Array(units).fill(b)));
const held = { gru: gates(20, 0, 0), lstm: gates(-20, 20, 0, 20) };         // z r c; i f c o

function last(kind, rate, training) {
  const layer = tf.layers[kind]({ units, recurrentDropout: rate, resetAfter: false });
  layer.apply(x);
  const [kernel, recurrent] = layer.getWeights();
  layer.setWeights([tf.zerosLike(kernel), tf.zerosLike(recurrent), held[kind]]);
  const initialState = layer.cell.stateSize.length ? [tf.ones([1, units]), tf.ones([1, units])] : [tf.ones([1, units])];
  return layer.apply(x, { initialState, training }).arraySync()[0].map(v => Number(v.toFixed(3)));
}

const [calm, half, tenth] = [last("gru", 0.5, false), last("gru", 0.5, true), last("gru", 0.1, true)];
const [lstm, lstmHalf] = [last("lstm", 0.5, false), last("lstm", 0.5, true)];
console.log_(`gru:  predict ${calm.join(" ")}   training at .5: ${half.join(" ")}   training at .1: ${tenth.join(" ")}`);
console.log_(`lstm (control): predict ${lstm.join(" ")}   training at .5: ${lstmHalf.join(" ")}`);
const same = calm.every(v => v === 1) && half.every(v => v === 0 || Math.abs(v - 1024) < 1) &&
  tenth.every(v => v === 0 || Math.abs(v - 2.868) < 0.01) && lstmHalf.join() === lstm.join();
if (!same) { console.error("the behaviour has changed"); process.exit(1); }
JS
node look.js
