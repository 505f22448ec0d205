#!/usr/bin/env bash
# hls4ml 1.3.0 (Keras 3.15.1, backends Vivado and Vitis): a Keras SimpleRNN is converted to firmware without the layer.
#
# Expected: hls4ml lists SimpleRNN among its recurrent layers, reads its weights, and converts it like LSTM and GRU.
# Happens: config, conversion and writing succeed without a word. The C++ that is written declares and loads the weights,
#   and calls nothing: the place of the layers is empty and the output is never assigned, so that the firmware's answers
#   are whatever the memory held. For LSTM the same place holds its call.
# Output seen:
#   LSTM, Vivado: layers called 1, weights loaded True   (Vitis the same)
#   SimpleRNN, Vivado: layers called 0, weights loaded True   (Vitis the same)
# Upstream: no report found. Who is hit: everyone who brings a SimpleRNN to an FPGA. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'tensorflow==2.21.0' 'keras==3.15.1' 'hls4ml==1.3.0' 'numpy==2.4.6'
cd "$dir"
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= "$dir/venv/bin/python" - <<'PY' 2>/dev/null | grep SEEN
import pathlib
import keras, hls4ml

def calls(layer, backend):
    """How many functions of nnet:: the written top function calls, weights loading apart."""
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, getattr(keras.layers, layer)(4)(inputs))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name")
    folder = f"{layer}-{backend}"
    hls4ml.converters.convert_from_keras_model(model, hls_config=config, output_dir=folder, backend=backend).write()
    source = pathlib.Path(folder, "firmware", "myproject.cpp").read_text()
    return source.split("insert layers")[1].count("nnet::"), "load_weights_from_txt" in source

seen = {(layer, backend): calls(layer, backend) for layer in ("LSTM", "SimpleRNN") for backend in ("Vivado", "Vitis")}
for (layer, backend), (number, weights) in seen.items():
    print(f"SEEN {layer}, {backend}: layers called {number}, weights loaded {weights}")
same = all((number == 0) == (layer == "SimpleRNN") and weights for (layer, _), (number, weights) in seen.items())
raise SystemExit(0 if same else "the behaviour has changed")
PY
