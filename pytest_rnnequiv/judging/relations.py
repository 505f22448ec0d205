"""The laws themselves: each turns a case into others whose answers must be related to its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN
from ..model.spec import Place
from ..wording import plural
from .laws import Facts, Law, Other, Relation, Rng, Selection

__all__ = ["LAWS"]

Array = npt.NDArray[Any]
Relate = Callable[[Case, Rng, Facts], Relation | None]

#: The laws by name.
LAWS: dict[str, Law] = {}

#: Activations with ``f(-a) = -f(a)``, and those with ``f(c a) = c f(a)`` for every ``c > 0``.
ODD = ("tanh", "linear", "softsign", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink")
HOMOGENEOUS = ("linear", "relu", "leaky_relu")


def _law(says: str, cause: str, *needs: Callable[[Facts], str], **more: Any) -> Callable[[Relate], Relate]:
    """Register a law by the function that turns a case into others; `more` are arguments of :class:`~.laws.Law`."""

    def register(relate: Relate) -> Relate:
        name = relate.__name__.lstrip("_")
        LAWS[name] = Law(name, says, cause, relate, needs, **more)
        return relate

    return register


# ---- what a law needs of an implementation ----


def _any_weights(facts: Facts) -> str:
    return "" if facts.any_weights else "has weights of its own"


def _masks(facts: Facts) -> str:
    return "" if facts.supports.masks else "declares no masks"


def _more_than_one(letter: str, noun: str) -> Callable[[Facts], str]:
    return lambda facts: "" if facts.most(letter) > 1 else f"takes one {noun} only"


def _elsewhere(seen: Callable[[Facts], bool], why: str) -> Callable[[Facts], str]:
    return lambda facts: why if facts.shows and not seen(facts) else ""


def _sees_final_state(facts: Facts) -> bool:
    if facts.shows == "states":
        return True
    low, high = facts.supports.range("M", 1, 1_000_000)
    least, most = facts.supports.range("K", 1, 1_000_000)
    return facts.any_weights and facts.identity_head and low <= most and least <= high  # then a head can show it


def _halves(facts: Facts) -> str:
    least, most = facts.supports.range("T", 1, 1_000_000)
    return "" if 2 * least <= most else "takes no shorter sequences"


# ---- numbers that replace others ----


def _fresh(random: Rng, array: Array, facts: Facts) -> Array:
    """Return other numbers of the same shape, of which some are far from the old ones."""
    old = array.astype(np.float64)
    kinds = (1.0 - old, 2.0 * random.standard_normal(old.shape), 50.0 * random.standard_normal(old.shape))
    new = kinds[int(random.integers(len(kinds)))]
    most = facts.supports.largest
    return new if most is None else np.clip(new, -most, most)


def _some(random: Rng, count: int) -> Array:
    """Choose some of so many, not all and not none: a bool array."""
    chosen = random.random(count) < 0.5
    chosen[random.integers(count)] = True
    if chosen.all():
        chosen[random.integers(count)] = False
    return chosen


def _order(random: Rng, count: int) -> list[int]:
    """Choose an order of so many that is not their own."""
    order: list[int] = random.permutation(count).tolist()
    return order if sorted(order) != order else order[::-1]


def _with_others(case: Case, where: Array, random: Rng, facts: Facts, *, states: bool) -> Case:
    """Put other inputs, and other bits of the mask, where `where` is true, which is ``(N, T)`` or ``(N, 1)``.

    With `states`, the initial states of these samples are others as well.
    """
    ids = case.spec.vocabulary if case.spec.embedded else 0

    def others(call: Call) -> Call:
        here = np.broadcast_to(where, call.x.shape[:2])
        new = random.integers(ids, size=call.x.shape) if ids else _fresh(random, call.x, facts)
        x = np.where(here if ids else here[..., None], new, call.x)
        mask = None if call.mask is None else np.where(here, random.random(here.shape) < 0.6, call.mask)
        return call.replace(x=x, mask=mask)

    def state(own: Array) -> Array:
        return np.where(where[:, :1], _fresh(random, own, facts), own)

    other = case.map_calls(others)
    return _with_states(other, state) if states else other


def _with_states(case: Case, change: Callable[[Array], Array]) -> Case:
    """Change the initial states, where some are given."""
    return case.map_calls(lambda call: call.replace(states=tuple(map(change, call.states))))


def _size(case: Case) -> tuple[int, int]:
    return case.calls[0].N, case.calls[0].T


def _listed(noun: str, which: Any) -> str:
    """Name some samples or steps."""
    names = [str(int(each)) for each in which]
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _forward(case: Case) -> bool:
    """Whether every layer sees the steps in their order."""
    return not any(layer.go_backwards for layer in case.spec.directions)


# ---- the laws ----


@_law(
    "A sample's answer does not depend on the other samples of its batch.",
    "a state or a buffer leaks from one sample to the next, or the sample axis is mixed up with another",
    _more_than_one("N", "sample"),
    options=(),
    extras=("", "", "h0", "mask"),
    samples=(2, 4),
)
def _samples_are_independent(case: Case, random: Rng, facts: Facts) -> Relation | None:
    N, _ = _size(case)
    if N < 2:
        return None
    changed = _some(random, N)
    kept = np.flatnonzero(~changed).tolist()
    other = _with_others(case, changed[:, None], random, facts, states=True)
    said = f"only the inputs of {_listed('sample', np.flatnonzero(changed))} were changed"
    return Relation(case, (Other(other, said, Selection(kept), Selection(kept)),))


@_law(
    "What comes later does not change what was before.",
    "it looks into the future: the time axis is turned round or mixed up with another, or something is computed of the "
    "whole sequence at once",
    _more_than_one("T", "step"),
    _elsewhere(lambda facts: facts.shows != "last output", "shows its last output only, and nothing before it"),
    options=("return_sequences",),
    extras=("", "", "h0", "mask"),
    steps=(2, 8),
)
def _past_ignores_future(case: Case, random: Rng, facts: Facts) -> Relation | None:
    N, T = _size(case)
    if T < 2 or not _forward(case) or len(case.calls) > 1:
        return None
    t = int(random.integers(1, T))
    later = np.broadcast_to(np.arange(T) >= t, (N, T))
    other = _with_others(case, later, random, facts, states=False)
    before = Selection(None, range(t))
    return Relation(case, (Other(other, f"only the inputs from step {t} on were changed", before, before),))


@_law(
    "A sequence in two halves, with the state carried over, gives what the whole gives.",
    "the state is not carried over: it is set to zero at the start of every call, or what is carried over is another "
    "step's",
    lambda facts: "" if facts.supports.initial_state else "declares no initial state",
    _halves,
    lambda facts: "" if len(facts.cell.states) == 1 else "shows only the first of the states that carry over",
    _elsewhere(_sees_final_state, "shows no state that could be carried over"),
    extras=("", "h0"),
    steps=(2, 8),
)
def _halves_make_the_whole(case: Case, random: Rng, facts: Facts) -> Relation | None:
    T = case.T
    if T < 2:
        return None
    t = int(random.integers(1, T))
    said = f"the sequence was cut before step {t}, and the state carried over"
    base = case.replace(mask=None)
    if facts.shows != "states":
        base = base.with_identity_head()  # its outputs are its states
    first = base.prefix(t)
    second = base.replace(x=base.x[:, t:], h0=np.zeros((case.N, base.M)))
    beginning, end = range(t), range(t, T)
    return Relation(
        base,
        (
            Other(
                first,
                f"only the first {plural(t, 'step')} were run",
                Selection(None, beginning),
                Selection(None, beginning),
            ),
            Other(second, said, Selection(None, end), Selection(None, range(T - t)), continues=True),
        ),
    )


@_law(
    "A sample gets the same answer alone, in another place, and in a larger batch.",
    "the answer depends on the size of the batch or on the place in it: a loop over the wrong axis, a buffer that is "
    "too short, a remainder of a block that is handled in another way",
    _more_than_one("N", "sample"),
    options=(),
    extras=("", "", "h0", "mask"),
    samples=(2, 4),
)
def _batches_do_not_matter(case: Case, random: Rng, facts: Facts) -> Relation | None:
    N, _ = _size(case)
    if N < 2 or case.spec.N is not None:
        return None
    alone = int(random.integers(N))
    others = []
    for samples, said in (
        ([alone], f"sample {alone} was asked alone"),
        (_order(random, N), "the samples were put in another order"),
        ([*range(N), *range(N)], "the batch was doubled"),
    ):
        if facts.supports.includes("N", len(samples)):
            others.append(Other(case.samples(samples), said, Selection(samples), Selection(range(len(samples)))))
    return Relation(case, tuple(others))


@_law(
    "A masked step may hold anything.",
    "the mask is applied by multiplication (0 * NaN is NaN), too late, or to the outputs only, so that the inputs of "
    "masked steps still count",
    _masks,
    options=("mask",),
    extras=("mask",),
)
def _masked_steps_hold_anything(case: Case, random: Rng, facts: Facts) -> Relation | None:
    N, T = _size(case)
    mask, x = case.calls[0].mask, case.calls[0].x
    if mask is None or len(case.calls) > 1:
        return None
    if mask.all():
        mask = mask.copy()
        mask[random.integers(N), random.integers(T)] = False
    content = [1e4, -1e30] + ([np.nan, np.inf, -np.inf] if facts.supports.nan else [])
    what = content[int(random.integers(len(content)))]
    if facts.supports.largest is not None:
        what = facts.supports.largest
    filled = np.where(mask[..., None], x, what)
    said = f"only masked steps were filled, with {what:g}"
    base, other = (case.replace(calls=[case.calls[0].replace(x=each, mask=mask)]) for each in (x, filled))
    return Relation(base, (Other(other, said, like=base),))


@_law(
    "Masked steps can be put in and taken out.",
    "a masked step does something: it moves the state, or is counted as a step",
    _masks,
    lambda facts: "" if facts.supports.range("T", 1, 6)[0] < facts.most("T") else "takes sequences of one length only",
    extras=("mask",),
    steps=(1, 6),
)
def _masked_steps_can_go(case: Case, random: Rng, facts: Facts) -> Relation | None:
    if case.mask is None:
        return None
    steps = list(range(case.T))
    for _ in range(int(random.integers(1, 3))):
        steps.insert(int(random.integers(len(steps) + 1)), -1)
    if not facts.supports.includes("T", len(steps)):
        return None
    new = np.array(steps) < 0
    x = np.where(new[:, None], _fresh(random, case.x[:, steps], facts), case.x[:, steps])
    mask = case.mask[:, steps] & ~new
    there = np.flatnonzero(~new).tolist()
    here = list(range(case.T))
    if new[-1]:  # what was put out last is put out again
        here, there = [*here, case.T - 1], [*there, len(steps) - 1]
    said = f"masked steps were put in, as {_listed('step', np.flatnonzero(new))}"
    return Relation(case, (Other(case.replace(x=x, mask=mask), said, Selection(None, here), Selection(None, there)),))


@_law(
    "An initial state of zeros, and a mask that lets every step pass, are what is meant where nothing is said.",
    "what is not given is not the default: a state is kept from the call before, or a mask of ones is not one",
    lambda facts: (
        "" if facts.supports.initial_state or facts.supports.masks else "declares neither initial states nor masks"
    ),
)
def _defaults_can_be_said(case: Case, random: Rng, facts: Facts) -> Relation | None:
    others = []
    if facts.supports.initial_state:
        others.append(Other(case.replace(h0=np.zeros((case.N, case.M))), "an initial state of zeros was given"))
    if facts.supports.masks:
        others.append(Other(case.replace(mask=np.ones((case.N, case.T), bool)), "a mask of ones was given"))
    return Relation(case, tuple(others))


@_law(
    "The units have no order: permuted in all weights, their states are permuted, and the outputs are the same.",
    "a unit's place matters: a remainder of a block is left out, an index is off by one, or a weight is taken from "
    "another unit",
    _any_weights,
    _more_than_one("M", "unit"),
    at_least_two=("M",),
    extras=("", "", "h0", "mask"),
)
def _units_have_no_order(case: Case, random: Rng, facts: Facts) -> Relation | None:
    if case.M < 2:
        return None
    P = _order(random, case.M)
    w = case.spec.cell.permuted(case.cell_weights(Place(0, 0, 0)), P)
    other = _with_states(case.replace(Wo=case.Wo[P], **vars(w)), lambda state: state[:, P])
    return Relation(case, (Other(other, f"the units were put in the order {P}", Selection(units=P)),))


@_law(
    "The features have no order: permuted in inputs and `Wx`, they give the same.",
    "a feature's place matters: a remainder of a block is left out, or the layout of `x` or `Wx` is another",
    _any_weights,
    _more_than_one("D", "feature"),
    at_least_two=("D",),
)
def _features_have_no_order(case: Case, random: Rng, facts: Facts) -> Relation | None:
    if case.D < 2:
        return None
    P = _order(random, case.D)
    said = f"the features were put in the order {P}"
    return Relation(case, (Other(case.replace(x=case.x[..., P], Wx=case.Wx[P]), said),))


@_law(
    "A unit that nobody reads changes nothing but itself.",
    "`Wh` or `Wo` is read the other way round (transposed), or with wrong strides",
    _any_weights,
    _more_than_one("M", "unit"),
    at_least_two=("M",),
    extras=("", "", "h0"),
)
def _unread_units_do_nothing(case: Case, random: Rng, facts: Facts) -> Relation | None:
    if case.M < 2 or case.spec.activation.per_term is not None:  # softmax and its like read all units
        return None
    m = int(random.integers(case.M))
    readers = np.arange(case.M) != m
    # row m is what unit m gives to the others, and its columns, one for each gate, are what it reads
    columns = m + case.M * np.arange(len(case.spec.cell.gates))
    Wx, Wh, bh, Wo = (getattr(case, name).copy() for name in ("Wx", "Wh", "bh", "Wo"))
    Wh[m], Wo[m] = 0, 0
    base = case.replace(Wh=Wh, Wo=Wo)
    Wx[:, columns] = _fresh(random, Wx[:, columns], facts)
    Wh[np.ix_(readers, columns)] = _fresh(random, Wh[np.ix_(readers, columns)], facts)
    bh[..., columns] = _fresh(random, bh[..., columns], facts)
    other = _with_states(
        base.replace(Wx=Wx, Wh=Wh, bh=bh), lambda state: np.where(readers, state, _fresh(random, state, facts))
    )
    rest = np.flatnonzero(readers).tolist()
    said = f"nobody reads unit {m} (its rows of Wh and Wo are zeros), and only what it reads was changed"
    return Relation(base, (Other(other, said, Selection(units=rest), Selection(units=rest)),))


@_law(
    "A bias is a feature that is always 1: its weights and `bh` can change places.",
    "`bh` is left out, counted twice, or added in another place than the inputs",
    _any_weights,
    lambda facts: "" if facts.supports.largest is None or facts.supports.largest >= 1 else "takes no inputs of 1",
    lambda facts: "" if len(facts.cell.weight_shapes(1, 1)["bh"]) == 1 else "has more biases than the features have",
)
def _bias_is_a_constant_feature(case: Case, random: Rng, facts: Facts) -> Relation | None:
    d = int(random.integers(case.D))
    if case.bh.shape != case.Wx[d].shape:
        return None
    x, Wx = case.x.copy(), case.Wx.copy()
    x[..., d] = 1
    base = case.replace(x=x)
    Wx[d] = case.bh
    said = f"feature {d} is always 1, and its weights and bh changed places"
    return Relation(base, (Other(base.replace(Wx=Wx, bh=case.Wx[d]), said),))


@_law(
    "Powers of 2 go through: inputs times 2 with weights by 2 give the same, and the head is linear.",
    "inputs, weights or outputs are clipped, rounded to a grid or normalized on their way",
    _any_weights,
    activations=("tanh", *HOMOGENEOUS),
)
def _powers_of_two_go_through(case: Case, random: Rng, facts: Facts) -> Relation | None:
    a, b, c = (2.0 ** int(k) for k in random.integers(-3, 4, size=3))
    a = 2.0 if a == 1 else a
    if case.spec.activation.name not in HOMOGENEOUS or case.spec.cell.gated or case.spec.cell.clip is not None:
        c = 1.0
    # the argument of another head must stay as it is
    last = b if case.spec.head_activation.name == "linear" else 1.0
    other = case.replace(
        x=case.x * a,
        Wx=case.Wx * (c / a),
        bh=case.bh * c,
        Wo=case.Wo * (last / c),
        bo=case.bo * last,
    )
    other = _with_states(other, lambda state: state * c)
    said = f"x was multiplied by {a:g}, Wx by {c / a:g}, bh by {c:g}, Wo by {last / c:g} and bo by {last:g}"
    return Relation(case, (Other(other, said, state_factor=1 / c, output_factor=1 / last),))


@_law(
    "Under an odd activation everything changes its sign with the inputs and biases.",
    "the activation is not odd as it should be (clipped on one side, another function, a table), or a sign is lost",
    _any_weights,
    lambda facts: "" if {*ODD} & {*facts.supports.activations} else "knows no odd activation",
    lambda facts: "has gates, which know no sign" if facts.cell.gated else "",
    extras=("", "", "h0"),
    activations=ODD,
)
def _signs_go_through(case: Case, random: Rng, facts: Facts) -> Relation | None:
    if not {case.spec.activation.name, case.spec.head_activation.name} <= {*ODD} or case.spec.cell.gated:
        return None
    other = _with_states(case.replace(x=-case.x, bh=-case.bh, bo=-case.bo), np.negative)
    said = "x, bh, bo (and h0) were negated"
    return Relation(case, (Other(other, said, state_factor=-1.0, output_factor=-1.0),))


@_law(
    "`unroll` changes nothing.",
    "the unrolled loop is not the symbolic one: another number of steps, another state to begin with",
    _any_weights,
    options=("unroll",),
    plain=False,
)
def _unroll_changes_nothing(case: Case, random: Rng, facts: Facts) -> Relation | None:
    # Masks are left out: with go_backwards, Keras zeroes the wrong steps of an unrolled layer.
    if case.spec.masked or not all(isinstance(layer, RNN) for layer in case.spec.layers):
        return None
    unrolled = tuple(layer.replace(unroll=True) for layer in case.spec.layers)
    if unrolled == case.spec.layers:
        return None
    other = case.spec.replace(layers=unrolled, T=case.calls[0].T)
    return Relation(case, (Other(case.replace(spec=other), "every layer was unrolled"),))


@_law(
    "A stateful layer goes on where it was: two calls give what one call on all the steps gives.",
    "the state is not kept between calls, is reset, or is that of another step, sample or layer",
    _any_weights,
    _halves,
    options=("stateful",),
    plain=False,
    steps=(2, 8),
)
def _stateful_goes_on(case: Case, random: Rng, facts: Facts) -> Relation | None:
    # A masked first step of a call puts out zeros where a later one repeats what was put out before it; and states that
    # are given in each call hide those that are kept.
    if len(case.calls) > 1 or case.spec.masked or case.spec.T is not None or not _forward(case):
        return None
    (call,) = case.calls
    if call.T < 2 or call.states or not all(layer.stateful for layer in case.spec.layers):
        return None
    t = int(random.integers(1, call.T))
    calls = call.replace(x=call.x[:, :t]), call.replace(x=call.x[:, t:], reset=False)
    said = f"the call was made in two, the second from step {t} on"
    return Relation(case, (Other(case.replace(calls=calls), said),))


@_law(
    "`go_backwards` is the same as a reversed sequence.",
    "`go_backwards` is ignored, turns the outputs round as well, or begins with the wrong step",
    _any_weights,
    options=("go_backwards",),
    plain=False,
)
def _backwards_is_reversed(case: Case, random: Rng, facts: Facts) -> Relation | None:
    first = case.spec.layers[0]
    # A go_backwards layer of Keras hands its mask on unreversed, and to a model that is stateful calls have an order.
    if case.spec.masked or len(case.calls) > 1 or not isinstance(first, RNN):
        return None
    other = case.spec.with_layer(0, first.replace(go_backwards=not first.go_backwards))
    said = f"go_backwards={not first.go_backwards} was said to layer 0, and the sequence reversed"
    return Relation(case, (Other(_reversed(case.replace(spec=other)), said),))


def _reversed(case: Case) -> Case:
    return case.map_calls(lambda call: call.replace(x=call.x[:, ::-1]))
