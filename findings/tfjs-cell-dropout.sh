#!/usr/bin/env bash
# TensorFlow.js 4.22.0 (npm), tf.layers.rnn({cell}) with dropout: one mask for ever, in predict() too; or never any mask.
#
# Expected: rnn({cell: lstmCell(o)}) is lstm(o), as in Keras: a new dropout mask at each call in training, none outside.
# Happens: the cell makes its mask at the first call of its life and keeps it. If that call trains, every later call, also
#   predict(), is multiplied by this mask. If that call predicts, as when a model is tried first, the mask is all ones and
#   no training has any dropout. The layers lstm(), gru(), simpleRNN() throw the mask away at each call; rnn(), around one
#   cell or several, does not. recurrentDropout is the same.
# Output seen (equal weights, outputs of two rows with equal inputs; the draws differ from run to run):
#   lstm:      predict 0.623 0.623   10 calls in training: 9 different answers   predict 0.623 0.623
#   rnn(cell): predict 0.623 0.623   10 calls in training: 1 different answers   predict 0.623 0.623
#   rnn(cell), training first:   10 calls in training: 1 different answers   predict 0.665 0.465
# Upstream: none found for tfjs (Keras had it: tensorflow#32543, repaired). Who is hit: stacked or custom cells with
#   dropout, and every model.evaluate() in between. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y > /dev/null
npm install --silent --ignore-scripts '@tensorflow/tfjs@4.22.0' > /dev/null
cat > look.js <<'JS'
console.log_ = console.log; console.log = console.warn = () => {};          // the library greets
const tf = require("@tensorflow/tfjs");

tf.setBackend("cpu");
const x = tf.ones([2, 3, 20]);
const constant = value => tf.initializers.constant({ value });
const options = { units: 1, dropout: 0.5, kernelInitializer: constant(0.05), recurrentInitializer: constant(0.25) };
const answer = (layer, training) => layer.apply(x, { training }).arraySync().map(row => row[0].toFixed(3)).join(" ");
const train = layer => new Set(Array.from({ length: 10 }, () => answer(layer, true))).size;

const layer = tf.layers.lstm(options);
const [before, drawn, after] = [answer(layer, false), train(layer), answer(layer, false)];
console.log_(`lstm:      predict ${before}   10 calls in training: ${drawn} different answers   predict ${after}`);

const tried = tf.layers.rnn({ cell: tf.layers.lstmCell(options) });
const [before2, drawn2, after2] = [answer(tried, false), train(tried), answer(tried, false)];
console.log_(`rnn(cell): predict ${before2}   10 calls in training: ${drawn2} different answers   predict ${after2}`);

const trained = tf.layers.rnn({ cell: tf.layers.lstmCell(options) });
const first = answer(trained, true);
const [drawn3, after3] = [train(trained), answer(trained, false)];
console.log_(`rnn(cell), training first:   10 calls in training: ${drawn3} different answers   predict ${after3}`);

const same = before === after && drawn > 2 && before2 === before && after2 === before && drawn2 === 1 &&
  drawn3 === 1 && after3 === first && after3 !== before;
if (!same) { console.error("the behaviour has changed"); process.exit(1); }
JS
node look.js
