#!/usr/bin/env bash
# Keras 3.15.1: SimpleRNN, GRU, LSTM with a mask and an initial state: before a row's first valid step the JAX backend
# (JAX 0.10.2; NumPy's too) returns the initial state, the PyTorch and TensorFlow backends return zeros.
#
# Expected: one model gives the same outputs on every backend. A masked step repeats the output before it; before the
#   first there is none, and Keras's code for TensorFlow and PyTorch starts it at zeros.
# Happens: on JAX leading masked steps show initial_state, and so do all steps of an empty row. Valid steps and final
#   states agree. Without initial_state nothing is seen.
# Output seen:
#   SimpleRNN: valid steps differ by 0.0000; the masked first step is [0.5 0.5] on JAX, [0. 0.] on PyTorch
#   (GRU and LSTM the same)
# Upstream: no report found. Who is hit: decoders with left-padded rows, empty rows in a batch. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'keras==3.15.1' 'jax==0.10.2' 'torch==2.13.0' 'numpy==2.4.6'
cat > "$dir/run.py" <<'PY'
import sys
import numpy as np, keras

x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
mask = np.array([[False, False, True, True], [True, True, True, True]])
for name in ("SimpleRNN", "GRU", "LSTM"):
    rng = np.random.default_rng(1)
    layer = getattr(keras.layers, name)(2, return_sequences=True)
    layer.build(x.shape)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    start = [keras.ops.full((2, 2), 0.5)] * (2 if name == "LSTM" else 1)
    y = layer(keras.ops.convert_to_tensor(x), initial_state=start, mask=keras.ops.convert_to_tensor(mask))
    np.save(f"{sys.argv[1]}-{name}.npy", keras.ops.convert_to_numpy(y))
PY
cd "$dir"
for backend in jax torch; do
    KERAS_BACKEND=$backend CUDA_VISIBLE_DEVICES= JAX_PLATFORMS=cpu "$dir/venv/bin/python" run.py $backend 2>/dev/null
done
"$dir/venv/bin/python" - <<'PY'
import numpy as np

same = True
for name in ("SimpleRNN", "GRU", "LSTM"):
    jax, torch = (np.load(f"{b}-{name}.npy") for b in ("jax", "torch"))
    valid = max(np.abs(jax - torch)[0, 2:].max(), np.abs(jax - torch)[1].max())
    print(f"{name}: valid steps differ by {valid:.4f}; the masked first step is {jax[0, 0]} on JAX, {torch[0, 0]} on PyTorch")
    same = same and valid < 1e-5 and np.allclose(jax[0, :2], 0.5) and not torch[0, :2].any()
raise SystemExit(0 if same else "the behaviour has changed")
PY
