#!/usr/bin/env bash
# Keras 3.15.1, OpenVINO 2026.4.1 backend: predict() of a stateful layer keeps no state from one call to the next.
#
# Expected: stateful=True hands a row's last state to the next call, as with the other backends; or an error, as the
#   default GRU and LSTM raise here.
# Happens: SimpleRNN, RNN(cell) and unrolled GRU and LSTM begin each predict() with zeros. Called as a function, the same
#   model keeps its state and is right.
# Output seen (a sequence of 6 steps in two halves; largest difference of each half from a stateless layer's whole run):
#   SimpleRNN: predict() 0.0000 0.5289, called 0.0000 0.0000
#   RNN(SimpleRNNCell): predict() 0.0000 0.5289, called 0.0000 0.0000
#   GRU, unrolled: predict() 0.0000 0.0230, called 0.0000 0.0000
#   LSTM, unrolled: predict() 0.0000 0.0687, called 0.0000 0.0000
# Upstream: none found. Who is hit: streams that are fed in blocks. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'keras==3.15.1' 'openvino==2026.4.1' 'numpy==2.4.6' scipy
KERAS_BACKEND=openvino "$dir/venv/bin/python" - <<'PY' 2>/dev/null
import keras
import numpy as np
from keras import layers

x = np.random.default_rng(0).normal(size=(1, 6, 3)).astype("float32")
first, second = x[:, :3], x[:, 3:]

def build(make, stateful):
    keras.utils.set_random_seed(0)
    steps = 3 if stateful else 6
    inputs = keras.Input(batch_shape=(1, steps, 3))
    return keras.Model(inputs, make(stateful=stateful, return_sequences=True)(inputs))

def predicted(model):
    return lambda block: model.predict(block, verbose=0)

def called(model):
    return lambda block: keras.ops.convert_to_numpy(model(block))

same = True
for name, make in (("SimpleRNN", lambda **o: layers.SimpleRNN(2, **o)),
                   ("RNN(SimpleRNNCell)", lambda **o: layers.RNN(layers.SimpleRNNCell(2), **o)),
                   ("GRU, unrolled", lambda **o: layers.GRU(2, unroll=True, **o)),
                   ("LSTM, unrolled", lambda **o: layers.LSTM(2, unroll=True, **o))):
    whole = predicted(build(make, stateful=False))(x)
    gaps = []
    for way in (predicted, called):
        run = way(build(make, stateful=True))
        gaps += [float(np.abs(run(first) - whole[:, :3]).max()), float(np.abs(run(second) - whole[:, 3:]).max())]
    print(f"{name}: predict() {gaps[0]:.4f} {gaps[1]:.4f}, called {gaps[2]:.4f} {gaps[3]:.4f}")
    same = same and gaps[0] < 1e-5 and gaps[1] > 1e-2 and max(gaps[2:]) < 1e-5
raise SystemExit(0 if same else "the behaviour has changed")
PY
