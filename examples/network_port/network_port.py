"""A port of networks: GRU and LSTM in layers, one way or both ways, and a head on the last output or on every one."""

import numpy as np

from pytest_rnnequiv import Supports
from pytest_rnnequiv.cells import GRUCell, LSTMCell


def sigmoid(a):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-a))


MERGED = {
    "concat": lambda forward, backward: np.concatenate([forward, backward], axis=-1),
    "sum": np.add,
    "mul": np.multiply,
    "ave": lambda forward, backward: (forward + backward) / 2,
    None: lambda forward, backward: (forward, backward),
}


class NetworkPort:
    precision = "float32"
    supports = Supports(
        cells=(LSTMCell(), GRUCell(), GRUCell(reset_after=False)),
        options=("layers", "bidirectional", "return_sequences", "use_bias"),
    )

    def run(self, case):
        spec, y = case.spec, case.x
        for i, layer in enumerate(spec.layers):
            pairs = zip(case.layer_weights(i), layer.directions, strict=True)
            ways = [self.one_way(y, w, direction) for (w,), direction in pairs]
            if not layer.return_sequences:
                ways = self.last(*ways)
            y = ways[0] if len(ways) == 1 else self.merge(layer.merge_mode, *ways)
        if spec.head is None:
            return y
        Wo, bo = case.head_weights()
        return y @ Wo + bo

    def one_way(self, x, w, layer):
        """Return the states of every step, in order of time."""
        (cell,) = layer.kinds
        step = {"LSTM": self.lstm, "GRU": self.gru}[cell.name]
        states = [np.zeros((len(x), len(w.Wh)), x.dtype) for _ in cell.states]
        order = np.arange(x.shape[1])[:: -1 if layer.go_backwards else 1]
        h = np.empty((*x.shape[:2], len(w.Wh)), x.dtype)
        for t in order:
            states = step(x[:, t], *states, w)
            h[:, t] = states[0]
        return h

    def merge(self, mode, forward, backward):
        return MERGED[mode](forward, backward)

    def last(self, forward, *backward):
        """Each way ends where it ends: the backward one at the first step."""
        return [forward[:, -1], *(h[:, 0] for h in backward)]

    def lstm(self, x, h, c, w):
        i, f, g, o = np.split(x @ w.Wx + h @ w.Wh + w.bh, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def gru(self, x, h, w):
        if w.bh.ndim == 2:  # reset_after=True
            (xz, xr, xh), (hz, hr, hh) = (
                np.split(x @ w.Wx + w.bh[0], 3, axis=1),
                np.split(h @ w.Wh + w.bh[1], 3, axis=1),
            )
            z, r = sigmoid(xz + hz), sigmoid(xr + hr)
            candidate = np.tanh(xh + r * hh)
        else:
            (xz, xr, xh), (Wz, Wr, Wc) = np.split(x @ w.Wx + w.bh, 3, axis=1), np.split(w.Wh, 3, axis=1)
            z, r = sigmoid(xz + h @ Wz), sigmoid(xr + h @ Wr)
            candidate = np.tanh(xh + (r * h) @ Wc)
        return (z * h + (1 - z) * candidate,)


# ---- what goes wrong ----


class LastStepOfBoth(NetworkPort):
    """The last step of both ways: there the backward one has seen one input only."""

    def last(self, *ways):
        return [h[:, -1] for h in ways]


class NotTurnedBack(NetworkPort):
    """The backward outputs are merged in the order in which they were computed."""

    def merge(self, mode, forward, backward):
        return super().merge(mode, forward, backward[:, ::-1] if backward.ndim == 3 else backward)


class BackwardFirst(NetworkPort):
    """Both ways side by side in the wrong order."""

    def merge(self, mode, forward, backward):
        return super().merge(mode, backward, forward)


class ResetBefore(NetworkPort):
    """One form of the GRU for both: the reset gate before the product, whatever the layer says."""

    def gru(self, x, h, w):
        if w.bh.ndim == 1:
            return super().gru(x, h, w)
        (xz, xr, xh), (Wz, Wr, Wc) = np.split(x @ w.Wx + w.bh[0], 3, axis=1), np.split(w.Wh, 3, axis=1)
        bz, br, bc = np.split(w.bh[1], 3)
        z, r = sigmoid(xz + h @ Wz + bz), sigmoid(xr + h @ Wr + br)
        return (z * h + (1 - z) * np.tanh(xh + (r * h) @ Wc + bc),)


class CellStateOut(NetworkPort):
    """The cell state is handed on to the next layer, in the place of the state."""

    def lstm(self, x, h, c, w):
        _, c = super().lstm(x, h, c, w)
        return c, c


class ForgetBias(NetworkPort):
    """1 is added to the bias of every forget gate when it runs, as TensorFlow 1 did."""

    def lstm(self, x, h, c, w):
        i, f, g, o = np.split(x @ w.Wx + h @ w.Wh + w.bh, 4, axis=1)
        c = sigmoid(f + np.float32(1)) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
