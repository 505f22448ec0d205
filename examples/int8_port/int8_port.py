"""A port with int8 weights, compiled in: judged under "quantization and nothing else"."""

import numpy as np

from pytest_rnnequiv import Precision, Spec, Trajectory

SPEC = Spec.simple(D=3, M=8, K=2)
rng = np.random.default_rng(1)
#: The trained model, as it was before quantization.
WEIGHTS = [0.6 * rng.standard_normal(shape).astype(np.float32) for shape in SPEC.weight_shapes.values()]


def quantize(weight):
    """Round to int8 with one scale for the whole array."""
    scale = float(np.abs(weight).max() / 127)
    return np.round(weight / scale).astype(np.int8), scale


(Wx8, sx), (Wh8, sh), (Wo8, so) = (quantize(WEIGHTS[i]) for i in (0, 1, 3))
bh, bo = WEIGHTS[2], WEIGHTS[4]


class Int8Port:
    """What runs on the device: int8 weights, float32 states."""

    name = "int8"
    model = (SPEC, WEIGHTS)
    precision = Precision.float32.quantized(Wx=sx, Wh=sh, Wo=so)
    recurrent_scale = sh

    def run(self, case):
        h = np.zeros((case.N, SPEC.M), np.float32)
        states = []
        for t in range(case.T):
            a = (case.x[:, t] @ Wx8.astype(np.float32)) * np.float32(sx)
            a += (h @ Wh8.astype(np.float32)) * np.float32(self.recurrent_scale)
            h = np.tanh(a + bh)
            states.append(h)
        states = np.stack(states, axis=1)
        return Trajectory(outputs=(states @ Wo8.astype(np.float32)) * np.float32(so) + bo, states=states)


class WrongScale(Int8Port):
    """The scale of `Wx` used for `Wh` as well: a mistake that quantization does not excuse."""

    name = "int8, wrong scale"
    recurrent_scale = sx
