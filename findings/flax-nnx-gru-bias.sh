#!/usr/bin/env bash
# flax 0.12.8, JAX 0.10.2 on the CPU: nnx.GRUCell has no b_hn, so no weights of linen.GRUCell with one can be carried
# over; nnx.LSTMCell takes linen's as they are.
#
# Expected: nnx cells compute what the linen cells of the same name do; both docstrings have the candidate
#   n = tanh(W_in x + b_in + r * (W_hn h + b_hn)).
# Happens: nnx joins the three recurrent kernels in one Linear without a bias. b_hn is scaled by r, which depends on the
#   inputs, so no other bias can stand for it. Where b_hn is 0, as it is at first, both are the same.
# Output seen (largest difference of the states over 6 steps):
#   LSTM: 0.0000
#   GRU, b_hn = 0: 0.0000
#   GRU, b_hn as drawn: 0.3738
#   GRU, b_hn added to b_in: 0.5988
#   biases of nnx.GRUCell: ['dense_i']
# Upstream: flax#5594, open. Who is hit: whoever moves a trained GRU of linen, PyTorch, cuDNN or Keras (reset_after) to
#   nnx. Silent: the parameter has no place to go to.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'flax==0.12.8' 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
JAX_PLATFORMS=cpu "$dir/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

D, M, T = 3, 4, 6
rng = np.random.default_rng(0)
x = jnp.array(rng.normal(size=(T, 1, D)).astype("float32"))


def drawn(cell):
    """Weights of a linen cell, all of them drawn."""
    weights = cell.init(jax.random.key(0), cell.initialize_carry(jax.random.key(0), x[0].shape), x[0])
    return jax.tree.map(lambda w: jnp.array(rng.normal(size=w.shape).astype("float32")), weights)


def states(step, carry):
    """What a cell puts out, step by step."""
    shown = []
    for each in x:
        carry, y = step(carry, each)
        shown.append(y)
    return jnp.stack(shown)


def off(cell, weights, other):
    carry = cell.initialize_carry(jax.random.key(0), x[0].shape)
    a, b = states(lambda c, each: cell.apply(weights, c, each), carry), states(other, carry)
    return float(jnp.abs(a - b).max())


lstm, mine = linen.LSTMCell(M), nnx.LSTMCell(D, M, rngs=nnx.Rngs(0))
weights = drawn(lstm)
for name, values in weights["params"].items():
    for kind, value in values.items():
        getattr(getattr(mine, name if hasattr(mine, name) else f"{name}_"), kind)[...] = value
seen = [off(lstm, weights, mine)]
print(f"LSTM: {seen[0]:.4f}")

gru = linen.GRUCell(M)
weights = drawn(gru)["params"]
for what, b_hn, moved in (("b_hn = 0", 0, 0), ("b_hn as drawn", 1, 0), ("b_hn added to b_in", 1, 1)):
    own = {**weights, "hn": {**weights["hn"], "bias": b_hn * weights["hn"]["bias"]}}
    mine = nnx.GRUCell(D, M, rngs=nnx.Rngs(0))
    mine.dense_i.kernel[...] = jnp.concatenate([own[name]["kernel"] for name in ("ir", "iz", "in")], -1)
    mine.dense_h.kernel[...] = jnp.concatenate([own[name]["kernel"] for name in ("hr", "hz", "hn")], -1)
    biases = [own["ir"]["bias"], own["iz"]["bias"], own["in"]["bias"] + moved * own["hn"]["bias"]]
    mine.dense_i.bias[...] = jnp.concatenate(biases)
    seen.append(off(gru, {"params": own}, mine))
    print(f"GRU, {what}: {seen[-1]:.4f}")
print("biases of nnx.GRUCell:", [name for name in ("dense_i", "dense_h") if getattr(mine, name).bias is not None])
raise SystemExit(0 if max(seen[:2]) < 1e-5 and min(seen[2:]) > .1 else "the behaviour has changed")
PY
