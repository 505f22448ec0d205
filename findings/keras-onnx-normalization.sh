#!/usr/bin/env bash
# Keras 3.15.1 (TensorFlow 2.21.0, tf2onnx 1.17.0), CPU: model.export(format="onnx") leaves the mean and the variance of a
#   Normalization layer out of the file, and makes them inputs of the model.
#
# Expected: one input, as the model has; what adapt() has learned is in the file, as the weights of the LSTM are.
# Happens: the graph has two inputs more, of shape (1, 1, 3), named after the Sub and the Sqrt of the layer. Their numbers
#   are nowhere in the file. With mean and variance fed by hand, the outputs are Keras's.
# Output seen:
#   adapted: inputs of the .onnx: x ('unk__73', 5, 3), sequential_1/normalization_1/Sub/y:0 (1, 1, 3),
#     sequential_1/normalization_1/Sqrt/x:0 (1, 1, 3)
#   adapted: fed with x alone: ValueError, with mean and variance too: off from Keras by 1.9e-08
#   told by mean= and variance=: inputs of the .onnx: the same three
#   told by mean= and variance=: fed with x alone: ValueError, with mean and variance too: off from Keras by 3.0e-08
# Upstream: none found. Who is hit: whoever exports a forecasting model that normalizes its inputs itself. Heard at the first
#   run, by an error that names tensors the user has never seen.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
./venv/bin/pip install --quiet 'keras==3.15.1' 'tensorflow==2.21.0' 'tf2onnx==1.17.0' 'onnx==1.23.2' 'onnxruntime==1.32.0'
cat > look.py <<'PY'
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import onnxruntime

keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
data, layers = 3 + 2 * rng.standard_normal((50, 5, 3)), keras.layers
mean, variance = data.mean((0, 1)), data.var((0, 1))
learned = layers.Normalization()
learned.adapt(data)
told = layers.Normalization(mean=mean, variance=variance)
x = data[:1].astype(np.float32)
left = {}
for name, first in (("adapted", learned), ("told by mean= and variance=", told)):
    model = keras.Sequential([keras.Input((5, 3), name="x"), first, layers.LSTM(4), layers.Dense(2)])
    wanted = np.asarray(model(x))
    model.export(f"{name[:5]}.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(f"{name[:5]}.onnx")
    given = session.get_inputs()
    print(f"{name}: inputs of the .onnx: " + ", ".join(f"{each.name} {tuple(each.shape)}" for each in given))
    left[name] = len(given)
    if len(given) == 1:
        print(f"{name}: off from Keras by {np.abs(session.run(None, {given[0].name: x})[0] - wanted).max():.1e}")
        continue
    try:
        session.run(None, {given[0].name: x})
        alone = "an answer"
    except Exception as error:
        alone = type(error).__name__
    feeds = {given[0].name: x}
    for each in given[1:]:
        feeds[each.name] = np.float32(mean if "Sub" in each.name else variance).reshape(1, 1, 3)
    off = np.abs(session.run(None, feeds)[0] - wanted).max()
    print(f"{name}: fed with x alone: {alone}, with mean and variance too: off from Keras by {off:.1e}")
if left["adapted"] != 3:
    raise SystemExit("the behaviour has changed")
PY
./venv/bin/python look.py 2> log.txt || { tail -5 log.txt; exit 1; }
