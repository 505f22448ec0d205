#!/usr/bin/env bash
# Keras 3.15.1: RNN([LSTMCell(M)]), a list of one cell with two states, is not RNN(LSTMCell(M)).
#
# Expected: a list of one cell is that cell, as a list of two is two cells behind one another.
# Happens: called plainly it is. Unrolled it raises IndexError, with a mask ValueError, and stateful AttributeError at
#   reset_state(). With both `unroll` and a mask it is right, and so is a list of two cells unrolled or masked.
# Output seen:
#   one cell, plain: right   unrolled: IndexError   masked: ValueError   unrolled and masked: right
#   two cells, plain: right   unrolled: right   masked: right   unrolled and masked: right
#   stateful, one cell: AttributeError, two cells: AttributeError
# Upstream: none found.
# Who is hit: code that builds `RNN([LSTMCell(M) for M in sizes])` from a list of sizes that may have one entry. Heard.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'keras==3.15.1' 'tensorflow==2.21.0' 'numpy==2.4.6'
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= "$dir/venv/bin/python" - <<'PY' 2>/dev/null
import numpy as np, keras

x = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("float32")
mask = np.array([[True, True, False], [True, False, True]])
cells = lambda count: [keras.layers.LSTMCell(3) for _ in range(count)]

def seen(count, unroll, masked):
    """Compare with the same cells, each in a layer of its own."""
    own = cells(count)
    try:
        y = keras.layers.RNN(own, unroll=unroll)(x, mask=mask if masked else None)
    except Exception as error:
        return type(error).__name__
    h = x
    for i, cell in enumerate(own):
        h = keras.layers.RNN(cell, return_sequences=i < count - 1)(h, mask=mask if masked else None)
    return "right" if np.allclose(y, h, atol=1e-6) else "wrong"

WAYS = (("plain", False, False), ("unrolled", True, False), ("masked", False, True), ("unrolled and masked", True, True))
found = {count: [seen(count, *how) for _, *how in WAYS] for count in (1, 2)}
for count, answers in found.items():
    told = "   ".join(f"{name}: {answer}" for (name, *_), answer in zip(WAYS, answers))
    print(f"{('one cell', 'two cells')[count - 1]}, {told}")

def reset(count):
    layer = keras.layers.RNN(cells(count), stateful=True)
    layer(x)
    try:
        layer.reset_state()
    except Exception as error:
        return type(error).__name__
    return "right"

resets = [reset(count) for count in (1, 2)]
print(f"stateful, one cell: {resets[0]}, two cells: {resets[1]}")
expected = {1: ["right", "IndexError", "ValueError", "right"], 2: ["right"] * 4}
raise SystemExit(0 if found == expected and resets == ["AttributeError"] * 2 else "the behaviour has changed")
PY
