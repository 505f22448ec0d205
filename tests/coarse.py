"""Coarse ports of the notebook's model and of gated cells, written from integers, as people write them by hand.

They know nothing of the package but the case that they are given. Each does exactly what its precision declares.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_rnnequiv import Precision, Trajectory
from pytest_rnnequiv.arithmetic.formats import Fixed, Scaled

Array = Any


def shifted(a: Array, bits: int, rounding: str) -> Array:
    """Divide int64 by 2^bits."""
    if not bits:
        return a
    if rounding == "floor":
        return a >> bits
    if rounding == "nearest-up":
        return (a + (1 << (bits - 1))) >> bits
    if rounding == "nearest-away":
        return np.sign(a) * ((np.abs(a) + (1 << (bits - 1))) >> bits)
    if rounding == "zero":
        return np.sign(a) * (np.abs(a) >> bits)
    low, rest = a >> bits, a & ((1 << bits) - 1)
    half = 1 << (bits - 1)
    return low + ((rest > half) | ((rest == half) & (low & 1 == 1)))


def fitted(q: Array, kind: Fixed) -> Array:
    """Saturate or wrap an integer."""
    half = 1 << (kind.integer + kind.fraction)
    if kind.overflow == "saturate":
        return np.clip(q, -half, half - 1)
    return (q + half) % (2 * half) - half


def to_fixed(a: Array, kind: Fixed) -> Array:
    """Round floats to integers that stand for multiples of a step."""
    units = np.asarray(a, np.float64) * 2.0**kind.fraction
    how: Any = {
        "floor": np.floor, "zero": np.trunc, "nearest-even": np.rint, "nearest-up": lambda u: np.floor(u + 0.5),
        "nearest-away": lambda u: np.copysign(np.floor(np.abs(u) + 0.5), u),
    }[kind.rounding]  # fmt: skip
    if kind.overflow == "wrap":  # no float is too large for that, and some are for an integer
        turn = 2.0 ** (kind.integer + kind.fraction + 1)
        return fitted(np.mod(how(units), turn).astype(np.int64), kind)
    return fitted(np.clip(how(units), -(2.0**62), 2.0**62).astype(np.int64), kind)


class FixedPort:
    """SimpleRNN -> Dense in fixed point: integers, shifts, and a tanh in double that is rounded.

    Parameters
    ----------
    wrong : callable, optional
        What is done to the integers of a state before it is kept, by step.
    tanh : callable
        What stands for the activation.
    """

    def __init__(
        self, weights: Fixed, states: Fixed, sums: Fixed | None = None, wrong: Any = None, tanh: Any = np.tanh
    ) -> None:
        self.weights, self.states, self.sums, self.wrong, self.tanh = weights, states, sums, wrong, tanh
        self.precision = Precision.fixed_point(weights, states, sums=sums)

    def run(self, case: Any) -> Trajectory:
        w, s = self.weights, self.states
        Wx, Wh, bh, Wo, bo = (to_fixed(a, w) for a in case.weights)
        x = to_fixed(case.x, w)
        behind = w.fraction + max(w.fraction, s.fraction)
        h = np.zeros((case.N, case.M), np.int64)
        states = []
        for t in range(case.T):
            a = (x[:, t] @ Wx) << (behind - 2 * w.fraction)
            a = a + ((h @ Wh) << (behind - w.fraction - s.fraction)) + (bh << (behind - w.fraction))
            if self.sums is None:
                real = a / 2.0**behind
            else:
                cut = behind - self.sums.fraction
                real = fitted(shifted(a, cut, self.sums.rounding), self.sums) / 2.0**self.sums.fraction
            h = to_fixed(self.tanh(real), s)
            if self.wrong is not None:
                h = self.wrong(t, h)
            states.append(h)
        h = np.stack(states, 1)
        y = (h @ Wo) + (bo << s.fraction)
        return Trajectory(outputs=y / 2.0 ** (w.fraction + s.fraction), states=h / 2.0**s.fraction)


def table_of_tanh(late: int = 0) -> Any:
    """Tanh in Q0.15 of sums in Q3.12, from 513 entries and the line between two of them, as kernels for int16 have it.

    Parameters
    ----------
    late : int
        By how many entries it is read too late.
    """
    entries = np.clip(np.rint(np.tanh(np.arange(-256, 257) / 32) * 2**15), -(2**15), 2**15 - 1).astype(np.int64)

    def tanh(a: Array) -> Array:
        n = np.clip(np.floor(np.asarray(a) * 2**12), -(2**15), 2**15 - 1).astype(np.int64)
        at, rest = np.clip((n >> 7) + 256 + late, 0, 511), n & 127
        return ((entries[at] * (128 - rest) + entries[at + 1] * rest) >> 7) / 2**15

    return tanh


class ApFixed:
    """Everything in one narrow format: each product is cut and wrapped, and so is each sum."""

    def __init__(self, bits: int, integer: int) -> None:
        self.kind = Fixed(integer - 1, bits - integer, "floor", "wrap")
        self.precision = Precision.ap_fixed(bits, integer)

    def run(self, case: Any) -> Trajectory:
        kind = self.kind
        Wx, Wh, bh, Wo, bo = (to_fixed(a, kind) for a in case.weights)
        x = to_fixed(case.x, kind)
        h = np.zeros((case.N, case.M), np.int64)
        states = []

        def times(a: Array, w: Array) -> Array:
            each = fitted((a[..., None] * w) >> kind.fraction, kind)
            total = np.zeros(each.shape[:-2] + each.shape[-1:], np.int64)
            for i in range(each.shape[-2]):
                total = fitted(total + each[..., i, :], kind)
            return total

        for t in range(case.T):
            a = fitted(fitted(times(x[:, t], Wx) + times(h, Wh), kind) + bh, kind)
            h = to_fixed(np.tanh(a / 2.0**kind.fraction), kind)
            states.append(h)
        h = np.stack(states, 1)
        y = fitted(times(h, Wo) + bo, kind)
        return Trajectory(outputs=y / 2.0**kind.fraction, states=h / 2.0**kind.fraction)


class Hybrid:
    """Int8 kernels by output unit, and factors rounded by row and step: float32 throughout, sums in int32."""

    def __init__(self, at_least: int = 1, nudge: Any = None) -> None:
        self.precision = Precision.dynamic_range_int8(at_least=at_least)
        self.at_least, self.nudge = at_least, nudge

    def kernel(self, w: Array) -> tuple[Array, Array] | None:
        if w.size < self.at_least:
            return None
        scale = (np.abs(w).max(0) / np.float32(127)).astype(np.float32)
        q = np.rint(w / np.where(scale > 0, scale, 1))
        return np.clip(q, -127, 127).astype(np.int32), scale

    def times(self, a: Array, w: Array, kernel: Any) -> Array:
        if kernel is None:
            return a @ w
        q, scale = kernel
        low, high = np.minimum(a.min(1), np.float32(0)), np.maximum(a.max(1), np.float32(0))
        own = ((high.astype(np.float64) - low) / 255).astype(np.float32)
        inverse = np.where(own > 0, np.float32(1) / np.where(own > 0, own, np.float32(1)), np.float32(0))
        zero = np.clip(np.rint(-128 - low.astype(np.float64) / np.where(own > 0, own, 1)), -128, 127).astype(np.float32)
        units = zero[:, None] + inverse[:, None] * a
        qa = np.clip(np.trunc(units + np.copysign(np.float32(0.5), units)), -128, 127).astype(np.int32)
        if self.nudge is not None:
            qa = self.nudge(qa)
        total = qa @ q - zero.astype(np.int32)[:, None] * q.sum(0)
        return total.astype(np.float32) * (own[:, None] * scale)

    def run(self, case: Any) -> Trajectory:
        Wx, Wh, bh, Wo, bo = case.weights
        kernels = [self.kernel(w) for w in (Wx, Wh, Wo)]
        h = np.zeros((case.N, case.M), np.float32)
        states, outputs = [], []
        for t in range(case.T):
            h = np.tanh(self.times(case.x[:, t], Wx, kernels[0]) + self.times(h, Wh, kernels[1]) + bh)
            states.append(h)
            outputs.append(self.times(h, Wo, kernels[2]) + bo)
        return Trajectory(outputs=np.stack(outputs, 1), states=np.stack(states, 1))


class FullInt8:
    """SimpleRNN -> Dense in int8: weights by output unit, inputs and states on scales that calibration found.

    Parameters
    ----------
    scale, zero : float, int
        Of the inputs.
    wrong : str
        What is wrong with it: ``"zero point"``, ``"channel"``, ``"transposed"``; or ``"cut"`` or ``"floor"`` (states,
        in the place of rounding).
    taken : int, optional
        What is taken for the zero point of the inputs where they are used.
    read_as : (float, int)
        How the integers of states are read in products: by which factor, and from which zero point.
    """

    #: What the states' integers stand for.
    STATES = 1 / 128
    #: And those of the outputs.
    OUTPUTS, BESIDE = 1 / 16, 5

    def __init__(
        self, scale: float = 0.05, zero: int = -7, wrong: str = "", taken: int | None = None, read_as: Any = (1, 0)
    ) -> None:
        self.scale, self.zero, self.wrong, (self.factor, self.beside) = scale, zero, wrong, read_as
        self.taken = zero + 2 * (wrong == "zero point") if taken is None else taken
        states, sums = Scaled(self.STATES), Fixed(3, 12)
        self.precision = Precision.full_int8(
            Scaled(scale, zero), states, sums=sums, outputs=Scaled(self.OUTPUTS, self.BESIDE)
        )

    def kernel(self, w: Array) -> tuple[Array, Array]:
        scale = np.abs(w).max(0) / 127
        return np.clip(np.rint(w / np.where(scale > 0, scale, 1)), -127, 127).astype(np.int64), scale

    def run(self, case: Any) -> Trajectory:
        Wx, Wh, bh, Wo, bo = (a.astype(np.float64) for a in case.weights)
        (qx, sx), (qh, sh), (qo, so) = map(self.kernel, (Wx, Wh, Wo))
        if self.wrong == "transposed":
            qh = qh.T
        if self.wrong == "channel":
            sh = sh * np.where(np.arange(len(sh)) == 1, 2, 1)
        x = np.clip(np.rint(case.x.astype(np.float64) / self.scale) + self.zero, -128, 127).astype(np.int64)
        x -= self.taken
        h, states = np.zeros((case.N, case.M), np.int64), []
        for t in range(case.T):
            a = (x[:, t] @ qx) * (self.scale * sx) + self.read(h, qh) * (self.STATES * sh) + bh
            a = np.clip(np.rint(a * 2**12), -(2**15), 2**15 - 1) / 2**12
            units = np.tanh(a) / self.STATES
            whole_units = {"cut": np.trunc, "floor": np.floor}.get(self.wrong, np.rint)(units)
            h = np.clip(whole_units, -128, 127).astype(np.int64)
            states.append(h)
        whole = np.stack(states, 1)
        y = np.rint((self.read(whole, qo) * (self.STATES * so) + bo) / self.OUTPUTS) + self.BESIDE
        return Trajectory((np.clip(y, -128, 127) - self.BESIDE) * self.OUTPUTS, whole * self.STATES)

    def read(self, h: Array, kernel: Array) -> Array:
        return self.factor * ((h - self.beside) @ kernel)


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


class FixedLSTM:
    """An LSTM in fixed point: gates and states in one format, sums and the cell state in another."""

    def __init__(self, weights: Fixed, states: Fixed, sums: Fixed) -> None:
        self.weights, self.states, self.sums = weights, states, sums
        self.precision = Precision.fixed_point(weights, states, sums=sums)

    def run(self, case: Any) -> Trajectory:
        w, s, of = self.weights, self.states, self.sums
        Wx, Wh, bh, Wo, bo = (to_fixed(a, w) for a in case.weights)
        x = to_fixed(case.x, w)
        behind = 2 * max(w.fraction, s.fraction)
        h, c = np.zeros((2, case.N, case.M), np.int64)
        states = []

        def summed(a: Array) -> Array:
            return fitted(shifted(a, behind - of.fraction, of.rounding), of)

        for t in range(case.T):
            a = (x[:, t] @ Wx) << (behind - 2 * w.fraction)
            a = a + ((h @ Wh) << (behind - w.fraction - s.fraction)) + (bh << (behind - w.fraction))
            i, f, g, o = np.split(summed(a) / 2.0**of.fraction, 4, axis=-1)
            i, f, o = (to_fixed(sigmoid(gate), s) for gate in (i, f, o))
            g = to_fixed(np.tanh(g), s)
            c = summed(((f * c) << (behind - s.fraction - of.fraction)) + ((i * g) << (behind - 2 * s.fraction)))
            c_out = to_fixed(np.tanh(c / 2.0**of.fraction), s)
            h = fitted(shifted(o * c_out, s.fraction, s.rounding), s)
            states.append(h)
        h = np.stack(states, 1)
        y = (h @ Wo) + (bo << s.fraction)
        return Trajectory(outputs=y / 2.0 ** (w.fraction + s.fraction), states=h / 2.0**s.fraction)


class HybridGated(Hybrid):
    """GRU (reset after) and LSTM by the same kernels."""

    def run(self, case: Any) -> Trajectory:
        Wx, Wh, bh, Wo, bo = case.weights
        kernels = [self.kernel(w) for w in (Wx, Wh, Wo)]
        h, c = np.zeros((2, case.N, case.M), np.float32)
        states, outputs = [], []
        for t in range(case.T):
            ax, ah = self.times(case.x[:, t], Wx, kernels[0]), self.times(h, Wh, kernels[1])
            if case.spec.cell.name == "GRU":
                (xz, xr, xg), (hz, hr, hg) = np.split(ax + bh[0], 3, -1), np.split(ah + bh[1], 3, -1)
                z, r = sigmoid(xz + hz), sigmoid(xr + hr)
                h = z * h + (1 - z) * np.tanh(xg + r * hg)
            else:
                i, f, g, o = np.split(ax + ah + bh, 4, -1)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
            states.append(h)
            outputs.append(self.times(h, Wo, kernels[2]) + bo)
        return Trajectory(outputs=np.stack(outputs, 1), states=np.stack(states, 1))


class WholeSequence:
    """Int8 kernels and factors on one scale each: what goes into a layer, or a head, over all samples and time steps.

    States come one step at a time, and are rounded so. This is what PyTorch's ``quantize_dynamic`` makes of layers, and
    ONNX Runtime's ``DynamicQuantizeLSTM``.
    """

    def __init__(self) -> None:
        factors = Scaled(per="sequence", symmetric=False)
        kernels = dict.fromkeys(("Wx", "Wh", "Wo"), Scaled())
        self.precision = Precision.float32.rounded(**kernels, factors=factors).named("int8 by sequence")

    @staticmethod
    def kernel(w: Array) -> tuple[Array, Any]:
        scale = np.float32(np.abs(w).max() / 127)
        return np.clip(np.rint(w / (scale or 1)), -127, 127).astype(np.int64), scale

    @staticmethod
    def times(a: Array, kernel: tuple[Array, Any]) -> Array:
        q, scale = kernel
        low, high = np.minimum(a.min(), np.float32(0)), np.maximum(a.max(), np.float32(0))
        own = np.float32((np.float64(high) - low) / 255) or np.float32(1)
        zero = int(np.clip(np.rint(-low / own), 0, 255))
        qa = np.clip(np.rint(a / own) + zero, 0, 255).astype(np.int64) - zero
        return (qa @ q).astype(np.float32) * (own * scale)

    def last(self, case: Any) -> Array:
        """Outputs of a model whose head gets the last state only."""
        return self.times(self.run(case).states[:, -1], self.kernel(case.Wo)) + case.bo

    def run(self, case: Any) -> Trajectory:
        Wx, Wh, bh, Wo, bo = case.weights
        qx, qh, qo = map(self.kernel, (Wx, Wh, Wo))
        whole = self.times(case.x, qx) + bh  # of all time steps at once
        h, c = np.zeros((2, case.N, case.M), np.float32)
        states = []
        for t in range(case.T):
            a = whole[:, t] + self.times(h, qh)
            if case.spec.cell.name == "LSTM":
                i, f, g, o = np.split(a, 4, -1)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
            else:
                h = np.tanh(a)
            states.append(h)
        h = np.stack(states, 1)
        return Trajectory(outputs=self.times(h, qo) + bo, states=h)


class Half:
    """Everything kept in 16 bits, and computed in float32."""

    def __init__(self, kind: Any, name: str) -> None:
        self.kind, self.precision = kind, Precision.of(name)

    def kept(self, a: Array) -> Array:
        return np.asarray(a, np.float32).astype(self.kind).astype(np.float32)

    def run(self, case: Any) -> Trajectory:
        Wx, Wh, bh, Wo, bo = map(self.kept, case.weights)
        x, h, states = self.kept(case.x), np.zeros((case.N, case.M), np.float32), []
        for t in range(case.T):
            h = self.kept(np.tanh(x[:, t] @ Wx + h @ Wh + bh))
            states.append(h)
        whole = np.stack(states, 1)
        return Trajectory(outputs=self.kept(whole @ Wo + bo), states=whole)


class Fp8(Half):
    """Kernels, and what is multiplied with them, in 8 bits."""

    def run(self, case: Any) -> Trajectory:
        def narrow(a: Array) -> Array:
            info = np.float32(self.largest)
            return self.kept(np.clip(a, -info, info))

        Wx, Wh, bh, Wo, bo = case.weights
        Wx, Wh, Wo = map(narrow, (Wx, Wh, Wo))
        h, states = np.zeros((case.N, case.M), np.float32), []
        for t in range(case.T):
            h = np.tanh(narrow(case.x[:, t]) @ Wx + narrow(h) @ Wh + bh)
            states.append(h)
        whole = np.stack(states, 1)
        return Trajectory(outputs=narrow(whole) @ Wo + bo, states=whole)

    largest = 448.0
