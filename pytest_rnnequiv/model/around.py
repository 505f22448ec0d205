"""Layers that are not recurrent, as they stand before, between and behind those that are: what each computes.

Each is written once, on inexact numbers: its value is what Keras's layer of the name gives, and its radius is how far
any correct implementation may be from that.

What is affine stays an open sum through any number of layers, since converters fold one into the other: the scale of a
``BatchNormalization`` into the kernel before it, say. The bound of a sum that is open over all of them covers every
such way to compute it, as it covers every order of summation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation, activation
from ..arithmetic.inexact import Inexact, joined, reshaped

__all__ = ["AROUND", "Around", "Tensor", "Unfollowed"]

Array = npt.NDArray[Any]

#: Roundings of a scale that is made of a variance: of the sum with epsilon, a root, an inverse, a product or two, each
#: by an approximation of two units at most.
OF_SCALE = 8


#: Numbers of a tensor: a file may say that a layer repeats its input a billion times.
LARGEST = 2**25


class Unfollowed(ValueError):
    """An option of a layer that is not followed; the message says which."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """What a layer is given, or gives.

    Attributes
    ----------
    number : Inexact
        With the samples as the first axis.
    mask : (N, T) bool array or None
        Keras's mask, that goes beside it.
    size : array or None
        What its errors are small beside, where that is neither its numbers nor their terms: those of what goes into an
        activation, as far as its range reaches.
    through : frozenset of str
        Of the inputs, and of what was shown, it is computed of these.
    travelled : bool
        Whether errors of layers before the last one are in its bound.
    """

    number: Inexact
    mask: npt.NDArray[np.bool_] | None = None
    size: Array | None = None
    through: frozenset[str] = frozenset()
    travelled: bool = False

    def closed(self) -> Tensor:
        """The tensor with its sums rounded, as somebody sees it."""
        return replace(self, number=self.number.closed())


#: Computes the output of a layer of its inputs, its options and its weights.
Computes = Callable[[Sequence[Tensor], Mapping[str, Any], Sequence[Array]], Any]


@dataclass(frozen=True, eq=False)
class Around:
    """A layer that is not recurrent.

    Parameters
    ----------
    kind : str
        The name of Keras's class: one of :data:`AROUND`.
    options : mapping
        By Keras's names.
    weights : sequence of arrays
        In the order of ``get_weights()``.
    function : Activation, optional
        What it applies at its end.
    """

    kind: str
    options: Mapping[str, Any]
    weights: tuple[Array, ...] = ()
    function: Activation | None = None

    def __call__(self, given: Sequence[Tensor]) -> Tensor:
        """Compute the layer.

        Raises
        ------
        Unfollowed
            If it has an option that is not followed, or is given what it does not take.
        """
        computes, keeps_mask = AROUND[self.kind]
        made = computes(given, self.options, self.weights)
        made = made if isinstance(made, Tensor) else Tensor(made, given[0].mask if keeps_mask else None)
        number, size = made.number, None
        if (f := self.function) is not None and f.name != "linear":
            size = np.minimum(number.magnitude if number.terms else np.abs(number.value), f.span)
        return replace(made, number=applied(number, f), size=size)


def applied(number: Inexact, function: Activation | None) -> Inexact:
    """Apply a function; the identity leaves a sum open."""
    return number if function is None or function.name == "linear" else function(number.closed())


# ---- affine ----


def _scaled(x: Inexact, scale: Array, roundings: int = 1) -> Inexact:
    """Multiply with a scale that was rounded so often, and leave the sum open."""
    size = np.abs(scale)
    magnitude = (x.magnitude if x.terms else np.abs(x.value)) * size
    # of what is flushed to zero, or rounded as a subnormal, on the way
    tiny = x.precision.tiny * (1 + size)
    made = Inexact(x.value * scale, x.precision, x.radius * size + tiny + 0 * magnitude, x.terms or 1, magnitude)
    made.roundings = x.roundings + roundings
    return made


def _centred(x: Inexact, mean: Array, scale: Array) -> Inexact:
    """``(x - mean) * scale``, or ``x * scale - mean * scale``: the error of the scale is one of the difference."""
    total = _scaled(x, scale) + _scaled(_exact(-mean, x), scale)
    size = np.abs(total.value) + total.radius
    total.radius = total.radius + OF_SCALE * x.precision.unit * size
    return total


def _through(x: Inexact, kernel: Array, bias: Array | None, name: str = "Wo") -> Inexact:
    """Multiply the last axis with a kernel and add a bias, and leave the sum open."""
    W = Inexact.weight(name, kernel, x.precision)
    p = x.precision
    if p.operand or not x.terms:
        product = x.closed() @ W
    else:  # it may have been folded into what comes before
        bound = np.abs(W.value) + W.radius
        radius = x.radius @ bound + x.magnitude @ np.broadcast_to(W.radius, W.shape)
        radius = radius + p.tiny * bound.sum(0)
        product = Inexact(x.value @ W.value, p, radius, x.terms + len(kernel), x.magnitude @ bound)
        product.roundings = x.roundings + 1
    return product if bias is None else product + Inexact.weight("bo", bias, p)


def _dense(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    kernel, *bias = weights
    x = given[0].number
    _see(x.ndim in (2, 3) and x.shape[-1] == len(kernel), f"gets the shape {x.shape}, and has a kernel {kernel.shape}")
    return _through(x, kernel, bias[0] if bias else None)


def _conv(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    """``Conv1D``: a dense layer on each window."""
    _see(options.get("data_format") in (None, "channels_last"), "has data_format='channels_first'")
    _see(int(options.get("groups") or 1) == 1, "has groups")
    kernel, *bias = weights
    x = given[0].number
    _see(x.ndim == 3 and x.shape[-1] == kernel.shape[1], f"gets the shape {x.shape}, and has a kernel {kernel.shape}")
    step, apart = _one(options.get("strides"), 1), _one(options.get("dilation_rate"), 1)
    at = _windows(x.shape[1], kernel.shape[0], step, str(options.get("padding", "valid")), apart)
    windows = _taken(_with_zeros(x), np.where(at < 0, x.shape[1], at))
    flat = _open_reshaped(windows, (*windows.shape[:2], kernel.shape[0] * kernel.shape[1]))
    return _through(flat, kernel.reshape(-1, kernel.shape[2]), bias[0] if bias else None)


def _windows(T: int, width: int, step: int, padding: str, apart: int = 1) -> Array:
    """Return the steps of each window, ``(windows, width)``; -1 where it lies outside."""
    reach = (width - 1) * apart + 1
    before = {"valid": 0, "causal": reach - 1}.get(padding)
    if before is None:
        _see(padding == "same", f"has padding={padding!r}")
        count = -(-T // step)
        before = max((count - 1) * step + reach - T, 0) // 2
    else:
        count = (T + before - reach) // step + 1
    _see(count > 0, f"gets {T} steps, which is less than its window of {reach}")
    _see_size(count * width)
    at = np.arange(count)[:, None] * step + np.arange(width) * apart - before
    return np.where((at < 0) | (at >= T), -1, at)


def _batch_normalization(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    x, left = given[0].number, list(weights)
    _last_axis(options, x)
    gamma = left.pop(0) if options.get("scale", True) else 1.0
    beta = left.pop(0) if options.get("center", True) else 0.0
    mean, variance = left
    scale = np.float64(gamma) / np.sqrt(np.float64(variance) + float(options.get("epsilon", 1e-3)))
    return _centred(x, np.float64(mean), scale) + _exact(beta, x)


def _normalization(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    """``Normalization``, whose statistics are weights, or options."""
    x = given[0].number
    axis = options.get("axis", -1)
    _see(axis is None or _is_last(axis, x), f"has axis={axis!r}")
    known = [options.get("mean"), options.get("variance")]
    mean, variance = (np.float64(a).reshape(-1) for a in (known if known[0] is not None else weights[:2]))
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # Keras's epsilon
    if options.get("invert"):
        return _scaled(x, deviation, OF_SCALE) + _exact(mean, x)
    return _centred(x, mean, 1 / deviation)


def _rescaling(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    x = given[0].number
    return _scaled(x, np.float64(options["scale"]), 2) + _exact(np.float64(options.get("offset", 0.0)), x)


def _exact(value: Any, x: Inexact) -> Inexact:
    return Inexact(value, x.precision)


# ---- what depends on its own numbers ----


def _layer_normalization(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    """``LayerNormalization`` of the last axis; the variance may be computed as ``mean(x^2) - mean(x)^2`` as well."""
    x, left = given[0].number.closed(), list(weights)
    _last_axis(options, x)
    _see(not options.get("rms_scaling"), "has rms_scaling=True")
    gamma = left.pop(0) if options.get("scale", True) else np.ones(())
    beta = left.pop(0) if options.get("center", True) else np.zeros(())
    p, n = x.precision, x.shape[-1]
    gamma_n, r = p.gamma(2 * n + 4), np.broadcast_to(x.radius, x.shape)
    mean, square = x.value.mean(-1, keepdims=True), (x.value**2).mean(-1, keepdims=True)
    off = x.value - mean
    variance = (off**2).mean(-1, keepdims=True)
    of_mean = r.mean(-1, keepdims=True) + gamma_n * np.abs(x.value).mean(-1, keepdims=True)
    of_off = r + of_mean
    of_variance = (2 * np.abs(off) * of_off + of_off**2).mean(-1, keepdims=True) + 2 * gamma_n * square + p.tiny
    epsilon = float(options.get("epsilon", 1e-3))
    scale = 1 / np.sqrt(variance + epsilon)
    largest = 1 / np.sqrt(np.maximum(variance - of_variance, 0) + epsilon)
    radius = (np.abs(off) * (largest - scale) + of_off * largest) * np.abs(gamma)
    magnitude = (np.abs(x.value) + np.abs(mean)) * largest * np.abs(gamma)
    normalized = Inexact(off * scale * gamma, p, radius, 2, magnitude)
    normalized.roundings = OF_SCALE
    return normalized + _exact(beta, x)


def _max_pooling(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    x = given[0].number.closed()
    at = _pooled(options, x)
    windows = _taken(_with_zeros(x, -np.inf), np.where(at < 0, x.shape[1], at))
    return _largest(windows, 2)


def _average_pooling(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    """The mean of each window; of what lies outside of the steps, nothing counts."""
    x = given[0].number
    at = _pooled(options, x)
    share = (at >= 0) / np.maximum((at >= 0).sum(1, keepdims=True), 1)
    return _mean(_taken(_with_zeros(x), np.where(at < 0, x.shape[1], at)), share[None, :, :, None], 2)


def _pooled(options: Mapping[str, Any], x: Inexact) -> Array:
    _see(options.get("data_format") in (None, "channels_last"), "has data_format='channels_first'")
    _see(x.ndim == 3, f"gets the shape {x.shape}")
    width = _one(options.get("pool_size"), 2)
    step = _one(options.get("strides"), width)
    return _windows(x.shape[1], width, step, str(options.get("padding", "valid")))


def _global_max(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    return _kept(_largest(given[0].number.closed(), 1), options)


def _global_average(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    """The mean over the steps that are not masked."""
    x, mask = given[0].number, given[0].mask
    _see(options.get("data_format") in (None, "channels_last") and x.ndim == 3, f"gets the shape {x.shape}")
    on = np.ones(x.shape[:2], bool) if mask is None else mask
    with np.errstate(invalid="ignore"):  # where all is masked, it is 0/0 as in Keras
        share = on / on.sum(1, keepdims=True)
    return _kept(_mean(x, share[..., None], 1), options)


def _kept(x: Inexact, options: Mapping[str, Any]) -> Inexact:
    return reshaped(x, (x.shape[0], 1, *x.shape[1:])) if options.get("keepdims") else x


def _largest(x: Inexact, axis: int) -> Inexact:
    """The largest along an axis: no rounding, and off by no more than the one that is off most."""
    radius = 0.0 if x.exact else x.bound.max(axis)
    return Inexact(x.value.max(axis), x.precision, radius)


def _mean(x: Inexact, share: Array, axis: int) -> Inexact:
    """The sum of shares along an axis; they may be multiplied before the sum, or divided behind it."""
    weighed = _scaled(x, share, 2)
    radius = np.broadcast_to(weighed.radius, weighed.shape).sum(axis)
    total = Inexact(
        weighed.value.sum(axis), x.precision, radius, weighed.terms + x.shape[axis], weighed.magnitude.sum(axis)
    )
    total.roundings = weighed.roundings
    return total


def _embedding(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    ids = given[0].number.value.astype(int)
    (table,) = weights
    _see(ids.ndim == 2, f"gets the shape {ids.shape}, expected (N, T)")
    mask = ids != 0 if options.get("mask_zero") else None
    return Tensor(Inexact.weight("E", table[ids], given[0].number.precision), mask)


def _masking(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    x = given[0].number.closed()
    _see(x.exact and x.ndim == 3, "stands behind layers that compute, so that what it masks may depend on a rounding")
    mask = (np.float32(x.value) != np.float32(options.get("mask_value", 0.0))).any(-1)
    return Tensor(Inexact(np.where(mask[..., None], x.value, 0.0), x.precision), mask)


# ---- shapes ----


def _shaped(shape: Callable[[Inexact, Mapping[str, Any]], Any]) -> Computes:
    def computes(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
        x = given[0].number
        return _open_reshaped(x, shape(x, options))

    return computes


def _flat(x: Inexact, options: Mapping[str, Any]) -> Any:
    return (x.shape[0], -1)


def _target(x: Inexact, options: Mapping[str, Any]) -> Any:
    return (x.shape[0], *options["target_shape"])


def _permute(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    order = (0, *(int(axis) for axis in options["dims"]))
    return _each(given[0].number, lambda a: a.transpose(order))


def _repeat(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    x, n = given[0].number, int(options["n"])
    _see_size(x.value.size * n)
    return _each(x, lambda a: np.repeat(a[:, None], n, 1))


def _padded(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    before, after = _pair(options.get("padding", 1))
    x = given[0].number
    _see_size((before + after + 1) * x.value.size)
    return _each(x, lambda a: np.pad(a, ((0, 0), (before, after), (0, 0))))


def _cropped(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    before, after = _pair(options.get("cropping", 1))
    return _each(given[0].number, lambda a: a[:, before : a.shape[1] - after])


def _upsampled(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    x, size = given[0].number, _one(options.get("size"), 2)
    _see_size(x.value.size * size)
    return _each(x, lambda a: np.repeat(a, size, 1))


def _each(x: Inexact, change: Callable[[Array], Array]) -> Inexact:
    """Move the numbers of an inexact array, and leave a sum open."""
    shape = x.value.shape
    radius = x.radius if x.exact else change(np.broadcast_to(x.radius, shape))
    magnitude = None if x.magnitude is None else change(np.broadcast_to(x.magnitude, shape))
    moved = Inexact(change(x.value), x.precision, radius, x.terms, magnitude)
    moved.roundings = x.roundings
    return moved


def _open_reshaped(x: Inexact, shape: Any) -> Inexact:
    return _each(x, lambda a: a.reshape(shape))


def _taken(x: Inexact, at: Array) -> Inexact:
    """Take steps, ``(N, T, F)`` to ``(N, *at.shape, F)``."""
    _see_size(at.size * x.shape[0] * x.shape[2])
    return _each(x, lambda a: a[:, at])


def _with_zeros(x: Inexact, value: float = 0.0) -> Inexact:
    """Append a step of zeros, from which is taken what lies outside."""
    made = _each(x, lambda a: np.pad(a, ((0, 0), (0, 1), (0, 0))))
    made.value[:, -1] = value
    return made


# ---- several tensors ----


def _merged(merge: Callable[[Sequence[Inexact]], Inexact]) -> Computes:
    def computes(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
        _see(all(each.mask is None for each in given), "is given masks")
        return merge([each.number for each in given])

    return computes


def _sum(each: Sequence[Inexact]) -> Inexact:
    total = each[0]
    for one in each[1:]:
        total = total + one
    return total


def _product(each: Sequence[Inexact]) -> Inexact:
    product = each[0]
    for one in each[1:]:
        product = product.closed() * one.closed()
    return product


def _concatenated(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    _see(all(each.mask is None for each in given), "is given masks")
    return joined([each.number.closed() for each in given], int(options.get("axis", -1)))


def _greatest(each: Sequence[Inexact], sign: int = 1) -> Inexact:
    closed = [one.closed() for one in each]
    value = sign * np.max([sign * one.value for one in closed], 0)
    return Inexact(value, closed[0].precision, np.max([one.bound for one in closed], 0))


# ---- options ----


def _see(condition: Any, what: str) -> None:
    if not condition:
        raise Unfollowed(f"it {what}: that is not followed")


def _see_size(count: int) -> None:
    _see(count <= LARGEST, f"makes {count:,} numbers, where no more than {LARGEST:,} are followed, of one tensor")


def _one(given: Any, default: int) -> int:
    """An option that is a number, or a sequence of one."""
    given = default if given is None else given
    return int(given[0] if isinstance(given, (list, tuple)) else given)


def _pair(given: Any) -> tuple[int, int]:
    one, other = given if isinstance(given, (list, tuple)) else (given, given)
    return int(one), int(other)


def _last_axis(options: Mapping[str, Any], x: Inexact) -> None:
    axis = options.get("axis", -1)
    _see(_is_last(axis, x), f"has axis={axis!r}")


def _is_last(axis: Any, x: Inexact) -> bool:
    axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    return axis in (-1, x.ndim - 1)


def _as_it_is(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    return given[0].number


def _soft(given: Sequence[Tensor], options: Mapping[str, Any], weights: Sequence[Array]) -> Any:
    _see(options.get("axis", -1) in (-1, given[0].number.ndim - 1), f"has axis={options.get('axis')!r}")
    _see(given[0].mask is None, "takes the mask of the steps for one of its features")
    return activation("softmax")(given[0].number.closed())


#: The layers that are followed: what each computes, and whether it hands on the mask that it is given.
AROUND: dict[str, tuple[Computes, bool]] = {
    "Activation": (_as_it_is, True),
    "Add": (_merged(_sum), True),
    "Average": (_merged(lambda each: _scaled(_sum(each), np.float64(1 / len(each)))), True),
    "AveragePooling1D": (_average_pooling, False),
    "BatchNormalization": (_batch_normalization, True),
    "Concatenate": (_concatenated, True),
    "Conv1D": (_conv, False),
    "Cropping1D": (_cropped, False),
    "Dense": (_dense, True),
    "ELU": (_as_it_is, True),
    "Embedding": (_embedding, False),
    "Flatten": (_shaped(_flat), False),
    "GlobalAveragePooling1D": (_global_average, False),
    "GlobalMaxPooling1D": (_global_max, False),
    "LayerNormalization": (_layer_normalization, True),
    "LeakyReLU": (_as_it_is, True),
    "Masking": (_masking, False),
    "MaxPooling1D": (_max_pooling, False),
    "Maximum": (_merged(_greatest), True),
    "Minimum": (_merged(lambda each: _greatest(each, -1)), True),
    "Multiply": (_merged(_product), True),
    "Normalization": (_normalization, False),
    "Permute": (_permute, False),
    "ReLU": (_as_it_is, True),
    "RepeatVector": (_repeat, False),
    "Rescaling": (_rescaling, False),
    "Reshape": (_shaped(_target), False),
    "Softmax": (_soft, True),
    "Subtract": (_merged(lambda each: each[0] - each[1]), True),
    "UpSampling1D": (_upsampled, False),
    "ZeroPadding1D": (_padded, False),
}
