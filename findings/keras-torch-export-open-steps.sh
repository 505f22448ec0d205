#!/usr/bin/env bash
# Keras 3.15.1, PyTorch backend: model.export() of a recurrent model with an open T computes its first step only.
#
# Expected: right for every T, as on the TensorFlow backend, since the file declares T open; or refused.
# Happens: the file is traced with one step, which stays in it under a T with a name: all steps behind the first are left
#   out. A number as T is right. Behind Masking, it raises when run. format="openvino" did the same where we saw it
#   (PyTorch 2.14.1, TensorFlow beside it).
# Output seen (largest difference from model.predict(x), then from model.predict(x[:, :1])):
#   T open, declared as ['batch', 'dim_0_1', 3]: T=1 0.0000, T=5 1.1223 (first step 0.0000), T=8 0.5003 (first step 0.0000)
#   T=5, declared as ['batch', 5, 3]: T=5 0.0000
# Upstream: keras#23058 proposes to refuse this for ONNX. Who is hit: any model with Input((None, D)), which is what text
#   and speech have; a check at T=1, or of shapes, passes. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'keras==3.15.1' 'torch==2.13.0' 'onnx==1.23.2' 'onnxscript==0.7.2' \
    'onnxruntime==1.32.0' 'numpy==2.4.6'
cd "$dir"
CUDA_VISIBLE_DEVICES="" KERAS_BACKEND=torch "$dir/venv/bin/python" -W ignore - <<'PY' 2>/dev/null
import keras, numpy as np, onnxruntime

def built(T):
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((T, 3)), keras.layers.GRU(4)])
    for weight in model.weights:
        weight.assign(rng.normal(0, .5, weight.shape))
    model(np.zeros((2, T or 5, 3), "float32"))
    return model

off = lambda a, b: float(np.abs(a - np.asarray(b)).max())
same = True
for T in (None, 5):
    model, told, rng = built(T), [], np.random.default_rng(1)
    model.export("model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession("model.onnx")
    (given,) = session.get_inputs()
    for steps in (1, 5, 8) if T is None else (5,):
        x = rng.normal(size=(2, steps, 3)).astype("float32")
        (y,) = session.run(None, {given.name: x})
        whole = off(y, model.predict(x, verbose=0))
        told.append(f"T={steps} {whole:.4f}")
        same &= (whole > .1) is (T is None and steps > 1)
        if whole > .1:
            first = off(y, model.predict(x[:, :1], verbose=0))
            told[-1] += f" (first step {first:.4f})"
            same &= first < 1e-5
    print(f"T={T or ' open'}".replace("= ", " ") + f", declared as {given.shape}: {', '.join(told)}", flush=True)
raise SystemExit(0 if same else "the behaviour has changed")
PY
