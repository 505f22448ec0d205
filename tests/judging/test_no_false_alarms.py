"""The oracle's one side: whatever computes the recurrence correctly is never called different.

The correct implementations here differ in the order of their sums, in the formula of their activation, in their
arithmetic and in what they show. The other side, that what is wrong is called different, belongs to the mistakes.
"""

from __future__ import annotations

import math
import operator
import zlib
from collections.abc import Callable, Iterator
from functools import cache, reduce
from itertools import cycle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from pytest_rnnequiv import Case, Precision, Spec, Trajectory, Verdict, judge
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS
from pytest_rnnequiv.implementations.keras import KerasCall, KerasGraph, KerasImplementation, KerasPredict

Array = Any
Function = Callable[[Array], Array]

# ---- sums: left (N, n) times right (n, M), the whole pre-activation at once; the last term is the bias ----


def terms(left: Array, right: Array) -> list[Array]:
    return [left[:, i, None] * right[i] for i in range(len(right))]


def sum_of(parts: list[Array]) -> Array:
    return reduce(operator.add, parts)


def forward(left: Array, right: Array) -> Array:
    return sum_of(terms(left, right))


def backward(left: Array, right: Array) -> Array:
    return forward(left[:, ::-1], right[::-1])


def shuffled(left: Array, right: Array) -> Array:
    order = np.random.default_rng(zlib.crc32(right.tobytes())).permutation(len(right))
    return forward(left[:, order], right[order])


def pairwise(left: Array, right: Array) -> Array:
    products = terms(left, right)
    while len(products) > 1:
        products = [sum_of(products[i : i + 2]) for i in range(0, len(products), 2)]
    return products[0]


def blocked(left: Array, right: Array) -> Array:
    """Four running sums, as a vector unit keeps them."""
    return sum_of([forward(left[:, i::4], right[i::4]) for i in range(min(4, len(right)))])


def fused(left: Array, right: Array) -> Array:
    """Multiply and add with one rounding; the product of two float32 is exact in float64."""
    kind = right.dtype
    total = np.zeros((len(left), right.shape[1]), kind)
    for i in range(len(right)):
        exact = left[:, i, None].astype(np.float64) * right[i].astype(np.float64)
        total = (exact + total.astype(np.float64)).astype(kind)
    return total


def concatenated(left: Array, right: Array) -> Array:
    """``[x, h, 1] @ W``, in the order that BLAS likes."""
    return left @ right


def flushing(left: Array, right: Array) -> Array:
    """Subnormal factors, products and sums are zero."""
    total = flush(flush(left)[:, 0, None] * flush(right)[0])
    for i in range(1, len(right)):
        total = flush(total + flush(flush(left)[:, i, None] * flush(right)[i]))
    return total


def flush(a: Array) -> Array:
    return np.where(np.abs(a) < np.finfo(a.dtype).tiny, a.dtype.type(0), a)


SUMS: dict[str, Callable[[Array, Array], Array]] = {
    f.__name__: f for f in (forward, backward, shuffled, pairwise, blocked, fused, concatenated, flushing)
}

# ---- activations: other formulas for the same functions ----


def _stable_sigmoid(a: Array) -> Array:
    one = a.dtype.type(1)
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, one / (one + e), e / (one + e))


def _plain_sigmoid(a: Array) -> Array:
    one = a.dtype.type(1)
    return one / (one + np.exp(-a))


def _by_expm1(a: Array) -> Array:
    e = np.expm1(a.dtype.type(-2) * np.abs(a))
    return np.sign(a) * (-e / (e + a.dtype.type(2)))


def _by_sigmoid(a: Array) -> Array:
    two = a.dtype.type(2)
    return two * _plain_sigmoid(two * a) - a.dtype.type(1)


def _plain_softplus(a: Array) -> Array:
    limit = a.dtype.type(0.9 * np.log(float(ml_dtypes.finfo(a.dtype).max)))
    return np.where(a > limit, a, np.log(a.dtype.type(1) + np.exp(np.minimum(a, limit))))


def _by_exp(a: Array) -> Array:
    one = a.dtype.type(1)
    limit = a.dtype.type(0.4 * np.log(float(ml_dtypes.finfo(a.dtype).max)))
    e = np.exp(a.dtype.type(2) * np.clip(a, -limit, limit))
    return (e - one) / (e + one)


def _selu(a: Array) -> Array:
    kind = a.dtype.type
    negative = kind(1.6732632423543772) * np.expm1(np.minimum(a, kind(0)))
    return kind(1.0507009873554805) * np.where(a > 0, a, negative)


def _plain_selu(a: Array) -> Array:
    kind = a.dtype.type
    alpha = kind(1.6732632423543772)
    return kind(1.0507009873554805) * np.where(a > 0, a, alpha * np.exp(np.minimum(a, kind(0))) - alpha)


def _by_erf(a: Array) -> Array:
    kind = a.dtype.type
    erf = np.array([math.erf(each) for each in (a * kind(0.5**0.5)).astype(np.float64).flat]).reshape(a.shape)
    return kind(0.5) * a * (kind(1) + erf.astype(a.dtype))


def _below(a: Array) -> tuple[Array, Array]:
    below = a - a.max(-1, keepdims=True)
    return below, sum_of([np.exp(below[..., i : i + 1]) for i in range(a.shape[-1])])


def _softmax(a: Array) -> Array:
    below, total = _below(a)
    return np.exp(below) / total


def _log_softmax(a: Array) -> Array:
    below, total = _below(a)
    return below - np.log(total)


def _by_logsumexp(a: Array) -> Array:
    return a - (a.max(-1, keepdims=True) + np.log(_below(a)[1]))


def _sparsemax(a: Array) -> Array:
    """Martins & Astudillo's algorithm 1, to the letter."""
    z = -np.sort(-a, axis=-1)
    total = np.concatenate([sum_of([z[..., j : j + 1] for j in range(k)]) for k in range(1, a.shape[-1] + 1)], -1)
    k = np.arange(1, a.shape[-1] + 1).astype(a.dtype)
    support = np.maximum((a.dtype.type(1) + k * z > total).sum(-1, keepdims=True), 1)
    tau = (np.take_along_axis(total, support - 1, -1) - a.dtype.type(1)) / support.astype(a.dtype)
    return np.maximum(a - tau, a.dtype.type(0))


FORMULAS: dict[str, dict[str, Function]] = {
    "tanh": {"tanh": np.tanh, "expm1": _by_expm1, "2 sigmoid(2a) - 1": _by_sigmoid, "exp": _by_exp},
    "linear": {"a": lambda a: a},
    "relu": {
        "max": lambda a: np.maximum(a, a.dtype.type(0)),
        "a (a > 0)": lambda a: a * (a > 0).astype(a.dtype),
    },
    "sigmoid": {
        "stable": _stable_sigmoid,
        "plain": _plain_sigmoid,
        "tanh": lambda a: a.dtype.type(0.5) * np.tanh(a.dtype.type(0.5) * a) + a.dtype.type(0.5),
    },
    "hard_sigmoid": {
        "a/6 + 1/2": lambda a: np.clip(a / a.dtype.type(6) + a.dtype.type(0.5), a.dtype.type(0), a.dtype.type(1)),
        "a (1/6) + 1/2": lambda a: np.clip(
            a * a.dtype.type(1 / 6) + a.dtype.type(0.5), a.dtype.type(0), a.dtype.type(1)
        ),
        "relu6(a + 3) / 6": lambda a: np.clip(a + a.dtype.type(3), a.dtype.type(0), a.dtype.type(6)) / a.dtype.type(6),
    },
    "hard_tanh": {"clip": lambda a: np.clip(a, a.dtype.type(-1), a.dtype.type(1))},
    "softsign": {"a / (1 + |a|)": lambda a: a / (a.dtype.type(1) + np.abs(a))},
    "softplus": {
        "log1p": lambda a: np.maximum(a, a.dtype.type(0)) + np.log1p(np.exp(-np.abs(a))),
        "log(1 + exp)": _plain_softplus,
    },
    "elu": {
        "expm1": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, a.dtype.type(0)))),
        "exp - 1": lambda a: np.where(a > 0, a, np.exp(np.minimum(a, a.dtype.type(0))) - a.dtype.type(1)),
    },
    "leaky_relu": {"max(a, a/5)": lambda a: np.maximum(a, a.dtype.type(0.2) * a)},
    "relu6": {"clip": lambda a: np.clip(a, a.dtype.type(0), a.dtype.type(6))},
    "celu": {
        "expm1": lambda a: np.maximum(a, a.dtype.type(0)) + np.expm1(np.minimum(a, a.dtype.type(0))),
        "exp - 1": lambda a: np.where(a > 0, a, np.exp(np.minimum(a, a.dtype.type(0))) - a.dtype.type(1)),
    },
    "selu": {"expm1": _selu, "alpha exp - alpha": _plain_selu},
    "exponential": {"exp": np.exp},
    "log_sigmoid": {"-softplus(-a)": lambda a: np.minimum(a, a.dtype.type(0)) - np.log1p(np.exp(-np.abs(a)))},
    "gelu": {"erf": _by_erf},
    "silu": {
        "a sigmoid(a)": lambda a: a * _plain_sigmoid(a),
        "a / (1 + exp(-a))": lambda a: a / (a.dtype.type(1) + np.exp(-a)),
    },
    "hard_silu": {
        "a relu6(a + 3) / 6": lambda a: (
            a * np.clip(a + a.dtype.type(3), a.dtype.type(0), a.dtype.type(6)) / a.dtype.type(6)
        ),
        "a hard_sigmoid(a)": lambda a: (
            a * np.clip(a / a.dtype.type(6) + a.dtype.type(0.5), a.dtype.type(0), a.dtype.type(1))
        ),
    },
    "mish": {
        "tanh(log1p)": lambda a: a * np.tanh(np.maximum(a, a.dtype.type(0)) + np.log1p(np.exp(-np.abs(a)))),
        "tanh(log)": lambda a: a * np.tanh(_plain_softplus(a)),
    },
    "tanh_shrink": {"a - tanh": lambda a: a - np.tanh(a), "by sigmoid": lambda a: a - _by_sigmoid(a)},
    "soft_shrink": {"sign": lambda a: np.sign(a) * np.maximum(np.abs(a) - a.dtype.type(0.5), a.dtype.type(0))},
    "hard_shrink": {"a (|a| > 1/2)": lambda a: a * (np.abs(a) > 0.5).astype(a.dtype)},
    "sparse_sigmoid": {
        "(a + 1) / 2": lambda a: np.clip(a.dtype.type(0.5) * (a + a.dtype.type(1)), a.dtype.type(0), a.dtype.type(1))
    },
    "sparse_plus": {
        "(a + 1)^2 / 4": lambda a: np.where(
            a >= 1, a, a.dtype.type(0.25) * np.clip(a + a.dtype.type(1), a.dtype.type(0), a.dtype.type(2)) ** 2
        )
    },
    "squareplus": {"(a + sqrt(a^2 + 4)) / 2": lambda a: (a + np.sqrt(a * a + a.dtype.type(4))) / a.dtype.type(2)},
    "softmax": {"exp / sum": _softmax, "exp(log)": lambda a: np.exp(_log_softmax(a))},
    "log_softmax": {"a - max - log(sum)": _log_softmax, "a - logsumexp": _by_logsumexp},
    "sparsemax": {"algorithm 1": _sparsemax},
}
FORMULAS |= {alias: FORMULAS[f.name] for alias, f in ACTIVATIONS.items() if f.name != alias}


def port(case: Case, total: str, formula: str, kind: Any) -> Trajectory:
    """Compute a case in the numbers of `kind`, every operation rounded to it."""
    add, act = SUMS[total], FORMULAS[case.spec.activation.name][formula]
    with np.errstate(over="ignore"):
        x, Wx, Wh, bh, Wo, bo = (np.asarray(a).astype(kind) for a in (case.x, *case.weights))
    W, Wy = np.concatenate([Wx, Wh, bh[None]]), np.concatenate([Wo, bo[None]])
    one = np.ones((case.N, 1), kind)
    h = np.zeros((case.N, case.M), kind) if case.h0 is None else case.h0.astype(kind)
    states, outputs = [], []
    with np.errstate(all="ignore"):
        for t in range(case.T):
            new = act(add(np.concatenate([x[:, t], h, one], 1), W)).astype(kind)
            h = new if case.mask is None else np.where(case.mask[:, t, None], new, h)
            states.append(h)
            outputs.append(add(np.concatenate([put_out(case, t, h), one], 1), Wy))
    return Trajectory(np.stack(outputs, 1), np.stack(states, 1))


def put_out(case: Case, t: int, h: Any) -> Any:
    """What a layer puts out: zeros as long as all is masked."""
    return h if case.mask is None else np.where(case.mask[:, : t + 1].any(1, keepdims=True), h, h.dtype.type(0))


def rounded(case: Case, wide: Any, narrow: Any) -> Trajectory:
    """Compute in wide numbers, and round only the states and outputs."""
    x, Wx, Wh, bh, Wo, bo = (a.astype(wide) for a in (case.x, *case.weights))
    h = np.zeros((case.N, case.M), narrow) if case.h0 is None else case.h0.astype(narrow)
    states, outputs = [], []
    with np.errstate(all="ignore"):
        for t in range(case.T):
            new = case.spec.activation.function(x[:, t] @ Wx + h.astype(wide) @ Wh + bh).astype(narrow)
            h = new if case.mask is None else np.where(case.mask[:, t, None], new, h)
            states.append(h)
            outputs.append((put_out(case, t, h).astype(wide) @ Wo + bo).astype(narrow))
    return Trajectory(np.stack(outputs, 1), np.stack(states, 1))


# ---- cases that look for trouble ----

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)

#: name -> (scale of x, of Wx, spectral radius of Wh, of bh, of Wo)
REGIMES: dict[str, tuple[float, float, float, float, float]] = {
    "mild": (1, 1, 0.9, 0.5, 1),
    "contracting": (1, 0.5, 0.3, 0.5, 1),
    "chaotic": (1, 1, 3, 0.5, 1),
    "saturated": (10, 3, 2, 2, 1),
    "large": (1e3, 1e2, 1e2, 1e3, 1e4),
    "small": (1e-6, 1e-3, 1e-2, 1e-6, 1e-3),
    "minute": (1e-30, 1e-6, 1, 1e-36, 1e-2),
    "subnormal": (1e-39, 1, 0.9, 1e-40, 1),
    "subnormal times huge": (1e-39, 1e30, 1e3, 0, 1e20),
    "huge": (1e18, 1e18, 1e2, 1e36, 1e30),
    "overflowing": (1e19, 1e19, 10, 1e38, 1e38),
    "cancelling": (1, 1, 0.9, 0, 1),
}


def draw(
    rng: np.random.Generator,
    regime: str,
    activation: str = "tanh",
    dtype: str = "float32",
    T: int | None = None,
    N: int | None = None,
    most: int = 33,
    sizes: tuple[int, int, int] | None = None,
    extras: bool = False,
) -> Case:
    fit = [s for s in SIZES if s <= most]
    D, M, K = sizes or (int(s) for s in rng.choice(fit, 3))
    spec = Spec.simple(D, M, K, activation=activation, dtype=dtype)
    N, T = N or int(rng.integers(1, 4)), T or int(rng.choice([1, 2, 3, 5, 12]))
    sx, sw, radius, sb, so = REGIMES[regime]
    Wh = rng.standard_normal((M, M))
    Wh *= radius / max(np.abs(np.linalg.eigvals(Wh)).max(), 1e-3)
    with np.errstate(all="ignore"):
        x = sx * rng.standard_normal((N, T, D))
        Wx, bh = sw * rng.standard_normal((D, M)), sb * rng.standard_normal(M)
        Wo, bo = so * rng.standard_normal((M, K)), so * rng.standard_normal(K)
        if regime == "cancelling":  # pairs of features and units that take away what the other gives
            half = D // 2
            x[..., :half], Wx[:half] = x[..., D - half :], -Wx[D - half :]
            x[..., :half] *= 1 + 2.0**-20
            bo = -(np.tanh(rng.standard_normal((M,))) @ Wo)
        h0 = mask = None
        if extras:
            h0 = np.tanh(rng.standard_normal((N, M)))
            mask = rng.random((N, T)) < 0.7
        return Case(spec, x, Wx, Wh, bh, Wo, bo, h0=h0, mask=mask)


def views(trajectory: Trajectory) -> Iterator[Trajectory]:
    """What an implementation may choose to show."""
    yield trajectory
    yield Trajectory(trajectory.outputs)
    yield Trajectory(trajectory.outputs[:, -1])


def accept(case: Case, trajectory: Trajectory, precision: Precision | str | None = None) -> list[Verdict]:
    """Judge a correct trajectory in every way; none may say different."""
    verdicts = [judge(case, shown, precision) for shown in views(trajectory)]
    for verdict in verdicts:
        assert not verdict.different, f"a false alarm on {case!r}: {verdict}"
    return verdicts


def numbers(*names: Any) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


# ---- NumPy's arithmetic ----


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("total", SUMS)
def test_any_order_of_summation(total: str, regime: str) -> None:
    rng = numbers(total, regime)
    for trial in range(6):
        dtype = ("float32", "float64")[trial % 3 == 2]
        case = draw(rng, regime, dtype=dtype, most=17)
        accept(case, port(case, total, "tanh", dtype))


FORMULA_IDS = [(name, formula) for name, formulas in FORMULAS.items() for formula in formulas]


@pytest.mark.parametrize(("activation", "formula"), FORMULA_IDS)
def test_any_formula_of_the_activation(activation: str, formula: str) -> None:
    rng = numbers(activation, formula)
    for regime in REGIMES:
        for dtype in ("float32", "float64"):
            case = draw(rng, regime, activation, dtype, most=9)
            accept(case, port(case, "forward", formula, dtype))


def test_every_activation_has_a_formula() -> None:
    assert FORMULAS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("activation", FORMULAS)
def test_short_numbers(activation: str, precision: str) -> None:
    rng = numbers(activation, precision)
    kind = np.float16 if precision == "float16" else ml_dtypes.bfloat16
    for regime in ("mild", "contracting", "chaotic", "saturated", "small"):
        for formula in FORMULAS[activation]:
            case = draw(rng, regime, activation, most=9)
            accept(case, port(case, str(rng.choice(["forward", "pairwise"])), formula, kind), precision)


@pytest.mark.parametrize("regime", REGIMES)
def test_wide_arithmetic(regime: str) -> None:
    rng = numbers("wide", regime)
    for _ in range(5):
        case = draw(rng, regime)
        accept(case, rounded(case, np.float64, np.float32))
        accept(case, rounded(case, np.float64, np.float64))
        accept(case, rounded(case, np.float32, np.float16), "float16")


@pytest.mark.parametrize("regime", ["mild", "chaotic", "saturated", "subnormal"])
def test_initial_states_and_masks(regime: str) -> None:
    rng = numbers("extras", regime)
    for dtype in ("float32", "float64") * 6:
        case = draw(rng, regime, dtype=dtype, most=9, extras=True)
        accept(case, port(case, "shuffled", "expm1", dtype))


@pytest.mark.parametrize("regime", ["contracting", "mild", "chaotic"])
def test_long_sequences(regime: str) -> None:
    case = draw(numbers("long", regime), regime, T=500, sizes=(3, 7, 2))
    shown = [accept(case, port(case, total, "expm1", "float32")) for total in ("backward", "pairwise")]
    assert all(states.equivalent for states, _, _ in shown), "induction must not care how long it is"
    if regime == "contracting":
        assert all(outputs.equivalent for _, outputs, _ in shown)


# ---- the smallest cases of alarms that there were ----


def small(activation: str, x: Any, Wx: float, **extras: Any) -> Case:
    spec = Spec.simple(1, 1, 1, activation=activation)
    return Case(spec, np.reshape(x, (1, -1, 1)), [[Wx]], [[0.0]], [0.0], [[1.0]], [0.0], **extras)


def test_an_infinite_state_may_be_held() -> None:
    case = small("linear", [3e38, 3e38], 10.0, mask=[[True, False]])
    accept(case, port(case, "forward", "a", "float32"))


def test_a_factor_may_be_too_large_for_the_arithmetic() -> None:
    """1e-39 * 1e30 is harmless, but in float16 it is 0 * inf."""
    case = small("tanh", [1e-39], 1e30)
    accept(case, port(case, "forward", "tanh", np.float16), "float16")


def test_a_subnormal_factor_may_count_as_zero() -> None:
    """What is lost here is no subnormal number, but 1e-9."""
    case = small("linear", [1e-39], 1e30)
    accept(case, port(case, "flushing", "a", "float32"))


def test_what_an_activation_makes_subnormal_may_be_flushed() -> None:
    case = small("leaky_relu", [-4.9 * float(np.finfo(np.float32).tiny)], 1.0)
    accept(case, Trajectory(np.zeros((1, 1, 1)), np.zeros((1, 1, 1))))


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_an_initial_state_may_be_rounded_before_it_is_held(precision: str) -> None:
    case = small("tanh", [1.0, 1.0], 1.0, h0=[[0.1]], mask=[[False, True]])
    kind = np.float16 if precision == "float16" else ml_dtypes.bfloat16
    accept(case, port(case, "forward", "tanh", kind), precision)


def test_quantized_weights() -> None:
    rng = numbers("quantized")
    for _ in range(20):
        case = draw(rng, "mild", most=9)
        scales = {"Wx": np.abs(case.Wx).max(0) / 127, "Wh": float(np.abs(case.Wh).max() / 127)}
        rough = {name: np.round(getattr(case, name) / scale) * scale for name, scale in scales.items()}
        accept(
            case,
            port(case.replace(**rough), "forward", "tanh", "float32"),
            Precision.float32.quantized(**scales),
        )


# ---- Keras ----

WAYS: list[type[KerasImplementation]] = [KerasCall, KerasPredict, KerasGraph]


@cache
def keras_way(way: type[KerasImplementation]) -> KerasImplementation:
    return way()


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def keras_path(request: pytest.FixtureRequest) -> KerasImplementation:
    return keras_way(request.param)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("activation", "way"), [*zip(ACTIVATIONS, cycle(WAYS), strict=False)])
def test_keras_activations(activation: str, way: type[KerasImplementation]) -> None:
    """Each in one of the ways; the suite asks every way for every activation."""
    keras_path = keras_way(way)
    if activation == "sparsemax":
        pytest.skip("Keras's is another function, keras-team/keras#23425")
    if activation not in keras_path.supports.activations:
        pytest.skip("this Keras does not have it yet")
    rng = numbers(activation)
    for regime in ("mild", "chaotic", "saturated", "large", "subnormal", "overflowing"):
        case = draw(rng, regime, activation, sizes=(3, 4, 2), N=2, T=3)  # predict traces for each N and T
        accept(case, keras_path.run(case), keras_path.precision)


@pytest.mark.tensorflow
def test_keras_regimes(keras_path: KerasImplementation) -> None:
    rng = numbers("keras")
    for regime in REGIMES:
        for extras in (False, True):
            case = draw(rng, regime, sizes=(5, 9, 3), N=2, T=5, extras=extras)
            if extras and case.mask is not None:
                mask = case.mask.copy()
                mask[:, 0] = True
                case = case.replace(mask=mask)
            accept(case, keras_path.run(case), keras_path.precision)


@pytest.mark.tensorflow
@pytest.mark.parametrize("regime", ["contracting", "chaotic"])
def test_keras_long_sequences(regime: str, keras_path: KerasImplementation) -> None:
    case = draw(numbers(regime), regime, T=500 if regime == "chaotic" else 100, sizes=(5, 9, 3))
    states, *_ = accept(case, keras_path.run(case), keras_path.precision)
    assert states.equivalent
