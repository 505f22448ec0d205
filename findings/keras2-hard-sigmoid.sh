#!/usr/bin/env bash
# Keras 3.15.1 loading weights and models of Keras 2: hard_sigmoid is another function.
#
# Expected: a file that Keras 3 loads without a word computes what Keras 2 computed. In Keras 2 hard_sigmoid is
#   clip(0.2 x + 0.5, 0, 1); it was the default recurrent_activation of LSTM and GRU before Keras 2.3, and of ConvLSTM2D
#   in all of Keras 2. ONNX's HardSigmoid (alpha 0.2) and TensorFlow.js still mean that function.
# Happens: Keras 3 computes relu6(x + 3) / 6 under the same name, a slope of 1/6. load_weights and load_model succeed;
#   the outputs move by up to .1. A real file that Keras 2.2.4 saved with its default LSTM(4) loads too, and is .09 off.
# Output seen:
#   LSTM: Keras 2 and Keras 3 differ by 0.0676   GRU: 0.0582   LSTM with sigmoid, as a control: 0.0000
# Upstream: the documentation was corrected (keras#19477, tensorflow#65381); nothing is said of old files.
# Who is hit: everyone who moves an LSTM, GRU or ConvLSTM2D of Keras 2 days to Keras 3. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'tensorflow==2.21.0' 'tf_keras==2.21.0' 'keras==3.15.1' 'numpy==2.4.6'
cd "$dir"
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= "$dir/venv/bin/python" - <<'PY' 2>/dev/null
import numpy as np, keras as keras3, tf_keras as keras2

rng = np.random.default_rng(0)
x = rng.normal(size=(2, 5, 3)).astype("float32")

def gap(layer, activation):
    """Save the weights with Keras 2, load them with Keras 3 into the same network."""
    old, new = (k.Sequential([k.Input((5, 3)), getattr(k.layers, layer)(4, recurrent_activation=activation)])
                for k in (keras2, keras3))
    old.set_weights([rng.normal(0, 0.8, w.shape) for w in old.get_weights()])
    old.save_weights("weights.h5")
    new.load_weights("weights.h5")
    return float(np.abs(old.predict(x, verbose=0) - new.predict(x, verbose=0)).max())

lstm, gru, control = gap("LSTM", "hard_sigmoid"), gap("GRU", "hard_sigmoid"), gap("LSTM", "sigmoid")
print(f"LSTM: Keras 2 and Keras 3 differ by {lstm:.4f}   GRU: {gru:.4f}   LSTM with sigmoid, as a control: {control:.4f}")
points = np.array([-2.7, -1.0, 1.0, 2.7], "float32")
print("hard_sigmoid of", points, "is", np.asarray(keras2.activations.hard_sigmoid(points)), "in Keras 2 and",
      np.asarray(keras3.activations.hard_sigmoid(points)), "in Keras 3")
raise SystemExit(0 if lstm > 1e-2 and gru > 1e-2 and control < 1e-5 else "the behaviour has changed")
PY
