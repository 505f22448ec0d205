#!/usr/bin/env bash
# Keras 3.15.1 on JAX: RNN([SimpleRNNCell(M)]) or RNN([GRUCell(M)]), a list of one cell, raises TypeError.
#
# Expected: a list of one cell is that cell, as it is on the PyTorch and TensorFlow backends.
# Happens: StackedRNNCells gives the states of its only cell without the list around them, and lax.scan wants what it
#   was given. Unrolled it is right, and so are a list of two cells and RNN(cell). Since Keras 3.1.1 at least.
# Output seen:
#   jax SimpleRNNCell: one TypeError, one unrolled right, two right, RNN(cell) right
#   torch SimpleRNNCell: one right, one unrolled right, two right, RNN(cell) right
#   (GRUCell the same)
# Upstream: none found.
# Who is hit: code that builds `RNN([GRUCell(M) for M in sizes])` from a list of sizes that may have one entry. Heard.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'keras==3.15.1' 'jax==0.10.2' 'torch==2.13.0' 'numpy==2.4.6'
cat > "$dir/run.py" <<'PY'
import numpy as np, keras

x = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("float32")
backend = keras.config.backend()

def seen(cells, what, **options):
    """Compare with the same cells, each in a layer of its own."""
    try:
        y = keras.ops.convert_to_numpy(keras.layers.RNN(what, **options)(x))
    except Exception as error:
        return type(error).__name__
    h = x
    for i, cell in enumerate(cells):
        h = keras.layers.RNN(cell, return_sequences=i < len(cells) - 1)(h)
    return "right" if np.allclose(y, keras.ops.convert_to_numpy(h), atol=1e-6) else "wrong"

same = True
for kind in (keras.layers.SimpleRNNCell, keras.layers.GRUCell):
    one, also, two, alone = ([kind(3) for _ in range(n)] for n in (1, 1, 2, 1))
    found = [seen(one, one), seen(also, also, unroll=True), seen(two, two), seen(alone, alone[0])]
    told = ", ".join(f"{a} {b}" for a, b in zip(("one", "one unrolled", "two", "RNN(cell)"), found))
    print(f"{backend} {kind.__name__}: {told}")
    same = same and found == ["TypeError" if backend == "jax" else "right", "right", "right", "right"]
raise SystemExit(0 if same else "the behaviour has changed")
PY
cd "$dir"
for backend in jax torch; do
    KERAS_BACKEND=$backend CUDA_VISIBLE_DEVICES= JAX_PLATFORMS=cpu "$dir/venv/bin/python" run.py 2>/dev/null
done
