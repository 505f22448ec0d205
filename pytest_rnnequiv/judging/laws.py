"""Laws of recurrences that need no oracle: an implementation is compared with itself on related cases.

A law turns a case into others and says how the answers must be related: other numbers in one sample leave the other
samples alone, two halves with the state carried over are the whole, a masked step may hold anything. Whoever breaks one
is told *that* (a state leaks between samples, the future is seen), which no single answer tells.

Two runs that are equal on paper may differ by rounding: another batch size takes another kernel, another order of units
another order of summation. Equal numbers are right at once. Others may be as far apart as a correct implementation may
be from the exact answers in both runs together, by the bound that follows every rounding error through the whole run
(:func:`~.chain.free_run`); where that is too wide to tell right from wrong, as in chaos, the comparison is
*inconclusive*. So a law never convicts on bits alone, and the oracle lends the room, not the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import Inexact
from ..arithmetic.precision import Precision
from ..cells.simple_rnn import CellWeights
from ..model.case import Case
from ..model.network import Bidirectional, Head
from ..model.network_case import Call, NetworkCase
from ..model.trajectory import BadAnswer, NetworkTrajectory, ShownCall, Trajectory, floats
from .enclosure import Chain, free_run
from .network_oracle import Walk
from .verdict import Finding, Place, Verdict, sharp_enough

if TYPE_CHECKING:
    from ..implementations.port import Supports

__all__ = ["LAWS", "Bound", "Facts", "Law", "Numbers", "Other", "Part", "Relation", "compare", "numbers", "relation"]

Array = npt.NDArray[Any]
Rng = np.random.Generator
AnyCase = Case | NetworkCase

#: Activations with ``f(-a) = -f(a)``, and those with ``f(c a) = c f(a)`` for every ``c > 0``.
ODD = ("tanh", "linear", "softsign", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink")
HOMOGENEOUS = ("linear", "relu", "leaky_relu")


# ---- what a law says of a case ----


@dataclass(frozen=True)
class Facts:
    """What has to be known of an implementation before a law is asked of it.

    Parameters
    ----------
    supports : Supports
    any_weights : bool
        Whether it takes any weights.
    identity_head : bool
        Whether it takes an identity matrix for ``Wo`` as it is.
    shows : {"", "states", "every output", "last output"}
        What it lets see; empty as long as nobody has looked.
    """

    supports: Supports
    any_weights: bool = True
    shows: str = ""
    identity_head: bool = True

    def most(self, letter: str) -> int:
        """Return the largest size that it takes."""
        return self.supports.range(letter, 1, 1_000_000)[1]

    def accepts(self, case: AnyCase) -> bool:
        """Whether a case is among what it takes."""
        if isinstance(case, Case):
            return self.supports.accepts(case)
        return all(self.supports.includes(letter, getattr(call, letter)) for call in case.calls for letter in "NT")


@dataclass(frozen=True)
class Part:
    """Some of the numbers of an answer, in an order; None is all.

    Parameters
    ----------
    samples, steps : sequence of int
    units : sequence of int
        Of the states; outputs are always meant all.
    """

    samples: Sequence[int] | None = None
    steps: Sequence[int] | None = None
    units: Sequence[int] | None = None


@dataclass(frozen=True)
class Other:
    """Another case, and which numbers of its answer are which of the first one's.

    Parameters
    ----------
    case : Case or NetworkCase
    changed : str
        What was done to the first one, as half a sentence.
    here, there : Part
        The numbers that must be equal: of the first answer, and of this one.
    state_factor, output_factor : float
        What the numbers of this one are multiplied with in comparison; powers of 2, or their negatives.
    like : Case or NetworkCase, optional
        A case with the same exact answer, which has a bound where `case` itself has none.
    continues : bool
        The case begins with the state in which the one before it ended: its ``h0`` is filled in.
    """

    case: AnyCase
    changed: str
    here: Part = field(default_factory=Part)
    there: Part = field(default_factory=Part)
    state_factor: float = 1.0
    output_factor: float = 1.0
    like: AnyCase | None = None
    continues: bool = False


@dataclass(frozen=True)
class Relation:
    """The case that is asked first (the drawn one, or what became of it), and those that are compared with it."""

    base: AnyCase
    others: tuple[Other, ...]


@dataclass(frozen=True)
class Law:
    """One law.

    Parameters
    ----------
    name : str
    says : str
        The law, as a sentence.
    cause : str
        What is mostly wrong with an implementation that breaks it.
    relate : callable
        ``(case, random, facts) -> Relation``, or None where this case cannot show it.
    needs, plain_needs : callable
        ``facts -> str``: why the law says nothing of an implementation, at all and on plain cases; empty if it does.
    networks : sequence of str, optional
        The options that an implementation must heed for the law to say something of networks; None if it says nothing.
    plain : bool
        Whether it says something of plain cases.
    extras : sequence of str
        What the cases have beside inputs and weights, where supported: of ``""``, ``"h0"``, ``"mask"``.
    samples, steps : (int, int)
        How many the case had best have.
    at_least_two : sequence of str
        Sizes that the case must have more than one of.
    activations : sequence of str, optional
        Those that it holds for, or with which it says most.
    """

    name: str
    says: str
    cause: str
    relate: Callable[[Any, Rng, Facts], Relation | None]
    needs: Callable[[Facts], str]
    plain_needs: Callable[[Facts], str] = lambda facts: ""
    networks: tuple[str, ...] | None = None
    plain: bool = True
    extras: tuple[str, ...] = ("",)
    samples: tuple[int, int] = (1, 4)
    steps: tuple[int, int] = (1, 8)
    at_least_two: tuple[str, ...] = ()
    activations: tuple[str, ...] | None = None

    def why_not(self, facts: Facts) -> str:
        """Why it says nothing of an implementation on plain cases; empty if it does."""
        return (
            self.needs(facts)
            or ("" if self.plain else "declares no options of layers that it is about")
            or self.plain_needs(facts)
        )

    def __str__(self) -> str:
        return self.name


LAWS: dict[str, Law] = {}


def _law(
    says: str, cause: str, *needs: Callable[[Facts], str], **more: Any
) -> Callable[[Callable[[Any, Rng, Facts], Relation | None]], Callable[[Any, Rng, Facts], Relation | None]]:
    def all_needs(facts: Facts) -> str:
        return next(filter(None, (need(facts) for need in needs)), "")

    def register(
        relate: Callable[[Any, Rng, Facts], Relation | None],
    ) -> Callable[[Any, Rng, Facts], Relation | None]:
        name = relate.__name__.lstrip("_")
        LAWS[name] = Law(name, says, cause, relate, all_needs, **more)
        return relate

    return register


def _any_weights(facts: Facts) -> str:
    return "" if facts.any_weights else "has weights of its own"


def _masks(facts: Facts) -> str:
    return "" if facts.supports.masks else "declares no masks"


def _more_than_one(letter: str, noun: str) -> Callable[[Facts], str]:
    return lambda facts: "" if facts.most(letter) > 1 else f"takes one {noun} only"


def _elsewhere(seen: Callable[[Facts], bool], why: str) -> Callable[[Facts], str]:
    return lambda facts: why if facts.shows and not seen(facts) else ""


def relation(law: Law, case: AnyCase, random: Rng, facts: Facts) -> Relation | None:
    """Turn a case into what the law says of it; None where it says nothing, or too much for the implementation."""
    with np.errstate(all="ignore"):
        found = law.relate(case, random, facts)
    if found is None:
        return None
    asked = [found.base, *(other.case for other in found.others)]
    return found if found.others and all(map(facts.accepts, asked)) else None


# ---- other numbers in the place of some ----


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


def _with_others(case: AnyCase, where: Array, random: Rng, facts: Facts, *, states: bool) -> AnyCase:
    """Put other inputs, and other bits of the mask, where `where` is true, which is ``(N, T)`` or ``(N, 1)``.

    With `states`, the initial states of these samples are others as well.
    """

    def others(own: Any, ids: int = 0) -> dict[str, Any]:
        here = np.broadcast_to(where, own.x.shape[:2])
        new = random.integers(ids, size=own.x.shape) if ids else _fresh(random, own.x, facts)
        changed = {"x": np.where(here if ids else here[..., None], new, own.x)}
        if own.mask is not None:
            changed["mask"] = np.where(here, random.random(here.shape) < 0.6, own.mask)
        return changed

    def state(own: Array) -> Array:
        return np.where(where[:, :1], _fresh(random, own, facts), own)

    if isinstance(case, Case):
        h0 = state(case.h0) if states and case.h0 is not None else case.h0
        return case.replace(**others(case), h0=h0)
    ids = case.network.vocabulary if case.network.embedded else 0
    calls = [
        call.replace(**others(call, ids), states=tuple(map(state, call.states)) if states else call.states)
        for call in case.calls
    ]
    return case.replace(calls=tuple(calls))


def _of_samples(case: AnyCase, samples: Sequence[int]) -> AnyCase:
    """Take samples of a case, in the order given."""
    rows = list(samples)
    if isinstance(case, Case):
        own = {name: getattr(case, name) for name in ("x", "h0", "mask")}
        return case.replace(**{name: None if array is None else array[rows] for name, array in own.items()})
    calls = [
        call.replace(
            x=call.x[rows],
            mask=None if call.mask is None else call.mask[rows],
            states=tuple(state[rows] for state in call.states),
        )
        for call in case.calls
    ]
    return case.replace(calls=tuple(calls))


def _size(case: AnyCase) -> tuple[int, int]:
    one = case if isinstance(case, Case) else case.calls[0]
    return one.N, one.T


def _listed(noun: str, which: Any) -> str:
    """Name some samples or steps."""
    names = [str(int(each)) for each in which]
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _forward(case: AnyCase) -> bool:
    """Whether every layer sees the steps in their order."""
    return isinstance(case, Case) or not any(
        isinstance(layer, Bidirectional) or layer.go_backwards for layer in case.network.layers
    )


# ---- the laws ----


@_law(
    "A sample's answer does not depend on the other samples of its batch.",
    "a state or a buffer leaks from one sample to the next, or the sample axis is mixed up with another",
    _more_than_one("N", "sample"),
    networks=(),
    extras=("", "", "h0", "mask"),
    samples=(2, 4),
)
def _samples_are_independent(case: AnyCase, random: Rng, facts: Facts) -> Relation | None:
    N, _ = _size(case)
    if N < 2:
        return None
    changed = _some(random, N)
    kept = np.flatnonzero(~changed).tolist()
    other = _with_others(case, changed[:, None], random, facts, states=True)
    said = f"only the inputs of {_listed('sample', np.flatnonzero(changed))} were changed"
    return Relation(case, (Other(other, said, Part(kept), Part(kept)),))


@_law(
    "What comes later does not change what was before.",
    "it looks into the future: the time axis is turned round or mixed up with another, or something is computed of the "
    "whole sequence at once",
    _more_than_one("T", "step"),
    plain_needs=_elsewhere(
        lambda facts: facts.shows != "last output", "shows its last output only, and nothing before it"
    ),
    networks=("return_sequences",),
    extras=("", "", "h0", "mask"),
    steps=(2, 8),
)
def _past_ignores_future(case: AnyCase, random: Rng, facts: Facts) -> Relation | None:
    N, T = _size(case)
    if T < 2 or not _forward(case) or (isinstance(case, NetworkCase) and len(case.calls) > 1):
        return None
    t = int(random.integers(1, T))
    later = np.broadcast_to(np.arange(T) >= t, (N, T))
    other = _with_others(case, later, random, facts, states=False)
    before = Part(None, range(t))
    return Relation(case, (Other(other, f"only the inputs from step {t} on were changed", before, before),))


def _sees_final_state(facts: Facts) -> bool:
    if facts.shows == "states":
        return True
    low, high = facts.supports.range("M", 1, 1_000_000)
    least, most = facts.supports.range("K", 1, 1_000_000)
    return facts.any_weights and facts.identity_head and low <= most and least <= high  # then a head can show it


def _halves(facts: Facts) -> str:
    least, most = facts.supports.range("T", 1, 1_000_000)
    return "" if 2 * least <= most else "takes no shorter sequences"


@_law(
    "A sequence in two halves, with the state carried over, gives what the whole gives.",
    "the state is not carried over: it is set to zero at the start of every call, or what is carried over is another "
    "step's",
    lambda facts: "" if facts.supports.initial_state else "declares no initial state",
    _halves,
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
            Other(first, f"only the first {_count(t, 'step')} were run", Part(None, beginning), Part(None, beginning)),
            Other(second, said, Part(None, end), Part(None, range(T - t)), continues=True),
        ),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"


@_law(
    "A sample gets the same answer alone, in another place, and in a larger batch.",
    "the answer depends on the size of the batch or on the place in it: a loop over the wrong axis, a buffer that is "
    "too short, a remainder of a block that is handled in another way",
    _more_than_one("N", "sample"),
    networks=(),
    extras=("", "", "h0", "mask"),
    samples=(2, 4),
)
def _batches_do_not_matter(case: AnyCase, random: Rng, facts: Facts) -> Relation | None:
    N, _ = _size(case)
    if N < 2:
        return None
    if isinstance(case, NetworkCase) and case.network.N is not None:
        return None
    alone = int(random.integers(N))
    order = random.permutation(N).tolist()
    if sorted(order) == order:
        order.reverse()
    doubled = [*range(N), *range(N)]
    others = []
    for samples, said in (
        ([alone], f"sample {alone} was asked alone"),
        (order, "the samples were put in another order"),
        (doubled, "the batch was doubled"),
    ):
        if facts.supports.includes("N", len(samples)):
            others.append(Other(_of_samples(case, samples), said, Part(samples), Part(range(len(samples)))))
    return Relation(case, tuple(others))


@_law(
    "A masked step may hold anything.",
    "the mask is applied by multiplication (0 * NaN is NaN), too late, or to the outputs only, so that the inputs of "
    "masked steps still count",
    plain_needs=_masks,
    networks=("mask",),
    extras=("mask",),
)
def _masked_steps_hold_anything(case: AnyCase, random: Rng, facts: Facts) -> Relation | None:
    N, T = _size(case)
    one = case if isinstance(case, Case) else case.calls[0]
    mask, x = one.mask, one.x
    if mask is None or (isinstance(case, NetworkCase) and len(case.calls) > 1):
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
    base, other = (_with_mask(case, each, mask) for each in (x, filled))
    return Relation(base, (Other(other, said, like=base),))


def _with_mask(case: AnyCase, x: Array, mask: Array) -> AnyCase:
    if isinstance(case, Case):
        return case.replace(x=x, mask=mask)
    return case.replace(calls=(case.calls[0].replace(x=x, mask=mask),))


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
    return Relation(case, (Other(case.replace(x=x, mask=mask), said, Part(None, here), Part(None, there)),))


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
    P = random.permutation(case.M).tolist()
    if case.M < 2:
        return None
    if sorted(P) == P:
        P.reverse()
    other = case.replace(
        Wx=case.Wx[:, P],
        Wh=case.Wh[P][:, P],
        bh=case.bh[P],
        Wo=case.Wo[P],
        h0=None if case.h0 is None else case.h0[:, P],
    )
    return Relation(case, (Other(other, f"the units were put in the order {P}", Part(units=P)),))


@_law(
    "The features have no order: permuted in inputs and `Wx`, they give the same.",
    "a feature's place matters: a remainder of a block is left out, or the layout of `x` or `Wx` is another",
    _any_weights,
    _more_than_one("D", "feature"),
    at_least_two=("D",),
)
def _features_have_no_order(case: Case, random: Rng, facts: Facts) -> Relation | None:
    P = random.permutation(case.D).tolist()
    if case.D < 2:
        return None
    if sorted(P) == P:
        P.reverse()
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
    Wh, Wo = case.Wh.copy(), case.Wo.copy()
    Wh[m], Wo[m] = 0, 0  # row m is what unit m gives to the others
    base = case.replace(Wh=Wh, Wo=Wo)
    Wx, Wh, bh = case.Wx.copy(), Wh.copy(), case.bh.copy()
    h0 = None if case.h0 is None else case.h0.copy()
    Wx[:, m] = _fresh(random, Wx[:, m], facts)
    readers = np.arange(case.M) != m
    Wh[readers, m] = _fresh(random, Wh[readers, m], facts)
    bh[m] = float(_fresh(random, bh[m : m + 1], facts)[0])
    if h0 is not None:
        h0[:, m] = _fresh(random, h0[:, m], facts)
    rest = np.flatnonzero(readers).tolist()
    said = f"nobody reads unit {m} (its rows of Wh and Wo are zeros), and only what it reads was changed"
    other = base.replace(Wx=Wx, Wh=Wh, bh=bh, h0=h0)
    return Relation(base, (Other(other, said, Part(units=rest), Part(units=rest)),))


@_law(
    "A bias is a feature that is always 1: its weights and `bh` can change places.",
    "`bh` is left out, counted twice, or added in another place than the inputs",
    _any_weights,
    lambda facts: "" if facts.supports.largest is None or facts.supports.largest >= 1 else "takes no inputs of 1",
)
def _bias_is_a_constant_feature(case: Case, random: Rng, facts: Facts) -> Relation | None:
    d = int(random.integers(case.D))
    x, Wx = case.x.copy(), case.Wx.copy()
    x[..., d] = 1
    base = case.replace(x=x)
    Wx[d] = case.bh
    said = f"feature {d} is always 1, and its weights and bh changed places"
    return Relation(base, (Other(base.replace(Wx=Wx, bh=case.Wx[d]), said),))


@_law(
    "Powers of 2 go through: inputs times 2 with weights by 2 give the same, and the head is linear.",
    "inputs, weights or outputs are clipped, rounded to a grid or normalised on their way",
    _any_weights,
    activations=("tanh", *HOMOGENEOUS),
)
def _powers_of_two_go_through(case: Case, random: Rng, facts: Facts) -> Relation | None:
    a, b, c = (2.0 ** int(k) for k in random.integers(-3, 4, size=3))
    a = 2.0 if a == 1 else a
    if case.spec.activation.name not in HOMOGENEOUS:
        c = 1.0
    # the argument of another head must stay as it is
    last = b if case.spec.head_activation.name == "linear" else 1.0
    other = case.replace(
        x=case.x * a,
        Wx=case.Wx * (c / a),
        bh=case.bh * c,
        h0=None if case.h0 is None else case.h0 * c,
        Wo=case.Wo * (last / c),
        bo=case.bo * last,
    )
    said = f"x was multiplied by {a:g}, Wx by {c / a:g}, bh by {c:g}, Wo by {last / c:g} and bo by {last:g}"
    return Relation(case, (Other(other, said, state_factor=1 / c, output_factor=1 / last),))


@_law(
    "Under an odd activation everything changes its sign with the inputs and biases.",
    "the activation is not odd as it should be (clipped on one side, another function, a table), or a sign is lost",
    _any_weights,
    lambda facts: "" if {*ODD} & {*facts.supports.activations} else "knows no odd activation",
    extras=("", "", "h0"),
    activations=ODD,
)
def _signs_go_through(case: Case, random: Rng, facts: Facts) -> Relation | None:
    if case.spec.activation.name not in ODD or case.spec.head_activation.name not in ODD:
        return None
    other = case.replace(x=-case.x, bh=-case.bh, bo=-case.bo, h0=None if case.h0 is None else -case.h0)
    said = "x, bh, bo (and h0) were negated"
    return Relation(case, (Other(other, said, state_factor=-1.0, output_factor=-1.0),))


@_law(
    "`unroll` changes nothing.",
    "the unrolled loop is not the symbolic one: another number of steps, another state to begin with",
    networks=("unroll",),
    plain=False,
)
def _unroll_changes_nothing(case: NetworkCase, random: Rng, facts: Facts) -> Relation | None:
    network = case.network
    # Masks are left out: with go_backwards, Keras zeroes the wrong steps of an unrolled layer.
    if network.masked or any(isinstance(layer, Bidirectional) for layer in network.layers):
        return None
    unrolled = tuple(layer.replace(unroll=True) for layer in network.layers)
    if unrolled == network.layers:
        return None
    other = network.replace(layers=unrolled, T=case.calls[0].T)
    return Relation(case, (Other(case.replace(network=other), "every layer was unrolled"),))


@_law(
    "A stateful layer goes on where it was: two calls give what one call on all the steps gives.",
    "the state is not kept between calls, is reset, or is that of another step, sample or layer",
    _halves,
    networks=("stateful",),
    plain=False,
    steps=(2, 8),
)
def _stateful_goes_on(case: NetworkCase, random: Rng, facts: Facts) -> Relation | None:
    network = case.network
    # A masked first step of a call puts out zeros where a later one repeats what was put out before it; and states that
    # are given in each call hide those that are kept.
    if len(case.calls) > 1 or network.masked or network.T is not None or not _forward(case):
        return None
    (call,) = case.calls
    if call.T < 2 or call.states or not all(layer.stateful for layer in network.layers):
        return None
    t = int(random.integers(1, call.T))
    calls = call.replace(x=call.x[:, :t]), call.replace(x=call.x[:, t:], reset=False)
    said = f"the call was made in two, the second from step {t} on"
    return Relation(case, (Other(case.replace(calls=calls), said),))


@_law(
    "`go_backwards` is the same as a reversed sequence.",
    "`go_backwards` is ignored, turns the outputs round as well, or begins with the wrong step",
    networks=("go_backwards",),
    plain=False,
)
def _backwards_is_reversed(case: NetworkCase, random: Rng, facts: Facts) -> Relation | None:
    network = case.network
    first = network.layers[0]
    # A go_backwards layer of Keras hands its mask on unreversed, and to a network that is stateful calls have an order.
    if network.masked or len(case.calls) > 1 or isinstance(first, Bidirectional):
        return None
    other = network.with_layer(0, first.replace(go_backwards=not first.go_backwards))
    calls = tuple(call.replace(x=call.x[:, ::-1]) for call in case.calls)
    said = f"go_backwards={not first.go_backwards} was said to layer 0, and the sequence reversed"
    return Relation(case, (Other(case.replace(network=other, calls=calls), said),))


# ---- numbers and their bounds ----


class Bound(NamedTuple):
    """What numbers are exactly, how far a correct implementation's may be from that, and their size."""

    expected: Array
    radius: Array
    scale: Array


class Numbers:
    """One kind of numbers of an answer, ``(N, steps, units)``, which knows its bound once somebody asks.

    Attributes
    ----------
    what : {"state", "output"}
    got : (N, T - first, units) array
    first : int
        The step that it begins with.
    """

    def __init__(self, what: str, got: Array, first: int, bounded: Callable[[], Bound]) -> None:
        self.what = what
        self.got = got
        self.first = first
        self._bounded = bounded

    @cached_property
    def bound(self) -> Bound:
        """The bound of each number; infinite where there is none."""
        with np.errstate(all="ignore"):
            expected, radius, scale = self._bounded()
            return Bound(expected, np.where(np.isnan(radius) | np.isnan(expected), np.inf, radius), scale)


def numbers(
    case: AnyCase,
    shown: Any,
    precision: Precision | None,
    *,
    like: AnyCase | None = None,
    start: tuple[Array, Array] | None = None,
) -> list[Numbers]:
    """Sort what was shown of a case.

    Parameters
    ----------
    case : Case or NetworkCase
    shown : Trajectory or NetworkTrajectory
    precision : Precision or None
        What the implementation declares.
    like : Case or NetworkCase, optional
        A case with the same exact answer.
    start : (expected, radius), each (N, M), optional
        What is known of the state before the first step, where that is not the case's own.

    Raises
    ------
    BadAnswer
        If it is no answer to the case.
    """
    if isinstance(case, NetworkCase):
        assert like is None or isinstance(like, NetworkCase)
        return _numbers_of_network(case, shown, precision, like or case)
    assert like is None or isinstance(like, Case)
    return _numbers_of_case(case, shown, precision, like or case, start)


def _entering(p: Precision, unit: float) -> Precision:
    """Return the arithmetic of coarser numbers than the case's own, which are rounded when they enter."""
    return replace(p, operand=max(p.operand, p.unit)) if p.unit > unit else p


def _numbers_of_case(
    case: Case, shown: Trajectory, precision: Precision | None, like: Case, start: tuple[Array, Array] | None
) -> list[Numbers]:
    unit = case.spec.precision.unit
    p = _entering(case.spec.precision if precision is None else precision, unit)
    checked = shown.checked(case.N, case.T, case.M, case.K)
    outputs = checked.outputs if checked.outputs.ndim == 3 else checked.outputs[:, None]
    first = case.T - outputs.shape[1]

    def weight(name: str) -> Inexact:
        return Inexact.weight(name, getattr(like, name), p)

    def chain() -> Chain:
        if start is not None:
            expected, radius = start
        else:
            expected = np.zeros((like.N, like.M)) if like.h0 is None else like.h0.astype(np.float64)
            radius = np.zeros_like(expected)
        if start is not None or p.unit > unit:  # it is stored, in the case's numbers and in the implementation's
            size = np.abs(expected) + radius
            radius = radius + (unit + (p.unit if p.unit > unit else 0.0)) * size + np.where(size > 0, p.tiny, 0.0)
            radius = np.where(size * (1 + p.unit) > p.largest, np.inf, radius)
        mask = np.ones((like.N, like.T), bool) if like.mask is None else like.mask
        h0 = Inexact(expected, p, radius if radius.any() else 0.0)
        w = CellWeights(weight("Wx"), weight("Wh"), weight("bh"))
        return Chain(Inexact(like.x, p), w, h0, mask, like.spec.activation, like.spec.cell)

    def of_states() -> Bound:
        return _beside_largest(Bound(*free_run(chain())), p)

    def of_outputs() -> Bound:
        head = weight("Wo"), weight("bo"), like.spec.head_activation
        return _beside_largest(Bound(*free_run(chain(), head, first)), p)

    found = [] if checked.states is None else [Numbers("state", checked.states, 0, of_states)]
    return [*found, Numbers("output", outputs, first, of_outputs)]


def _beside_largest(bound: Bound, p: Precision) -> Bound:
    """Take for the size of a number that of its sample's largest: a unit may well be silent."""
    size = np.nan_to_num(bound.scale).max(axis=(1, 2), keepdims=True, initial=p.unit)
    return bound._replace(scale=np.broadcast_to(size, bound.scale.shape))


class _Bounds(Walk):
    """A walk through a network of which nothing is seen but the outputs: it keeps their bounds."""

    def __init__(self, case: NetworkCase, p: Precision) -> None:
        super().__init__(case, p)
        self.bounds: list[Bound] = []

    def _compare(self, what: str, got: Array, expected: Inexact, *, travelled: bool) -> None:
        value, radius = expected.value, expected.bound
        if value.ndim == 2:
            value, radius = value[:, None], radius[:, None]
        self.bounds.append(Bound(value, radius, np.broadcast_to(self._size(value), value.shape)))


def _headed(case: NetworkCase) -> NetworkCase:
    """Give a network that has no head one that changes nothing, and one output where it has two."""
    network = case.network
    if network.head is not None:
        return case
    last = network.layers[-1]
    if isinstance(last, Bidirectional) and last.merge_mode is None:
        last = last.replace(merge_mode="concat")
    head = Head(last.features, use_bias=False)
    network = network.replace(layers=(*network.layers[:-1], last), head=head)
    return NetworkCase(network, (*case.weights, np.eye(last.features)), case.calls)


def _numbers_of_network(
    case: NetworkCase, answer: Any, precision: Precision | None, like: NetworkCase
) -> list[Numbers]:
    network = case.network
    p = network.precision if precision is None else precision
    p = _entering(p, Precision.of(network.variable_dtype).unit)
    shown = NetworkTrajectory.of(answer)
    if len(shown.calls) != len(case.calls):
        raise BadAnswer(f"{len(shown.calls)} calls were shown, expected {len(case.calls)}")
    every = network.layers[-1].return_sequences
    got = [_outputs(case, call, each) for call, each in zip(case.calls, shown.calls, strict=True)]
    last = slice(None) if every else slice(-1, None)

    def bound() -> Bound:
        headed = _headed(like)
        walk = _Bounds(headed, p)
        for call, outputs in zip(headed.calls, got, strict=True):
            walk.call("", call, ShownCall(outputs if every else outputs[:, 0]))
        return Bound(*(np.concatenate(column[last], axis=1) for column in zip(*walk.bounds, strict=True)))

    T = sum(call.T for call in case.calls)
    return [Numbers("output", np.concatenate(got[last], axis=1), 0 if every else T - 1, bound)]


def _outputs(case: NetworkCase, call: Call, shown: ShownCall) -> Array:
    """Outputs of one call, ``(N, T, F)`` or ``(N, 1, F)``; of two outputs side by side."""
    network, last = case.network, case.network.layers[-1]
    steps = (call.N, call.T) if last.return_sequences else (call.N,)
    if network.head is None and isinstance(last, Bidirectional) and last.merge_mode is None:
        if not isinstance(shown.outputs, (tuple, list)) or len(shown.outputs) != 2:
            raise BadAnswer("the last layer has merge_mode=None: a pair of outputs was expected")
        pairs = zip(shown.outputs, last.directions, strict=True)
        outputs = np.concatenate([floats("the outputs", each, (*steps, d.features)) for each, d in pairs], axis=-1)
    else:
        features = last.features if network.head is None else network.head.K
        outputs = floats("the outputs", shown.outputs, (*steps, features))
    return outputs if last.return_sequences else outputs[:, None]


# ---- comparing ----


def compare(other: Other, first: Sequence[Numbers], second: Sequence[Numbers], p: Precision) -> Verdict:
    """Compare two answers where they must be equal.

    Parameters
    ----------
    other : Other
    first, second : sequence of Numbers
        Of the base, and of `other`.
    p : Precision
        The arithmetic of both runs.

    Returns
    -------
    Verdict
        Its place says where the first answer has what (`expected`), what the other has there instead (`got`, brought to
        the first one's scale), and how far apart they may be (`bound`).
    """
    with np.errstate(all="ignore"):
        return _compare(other, first, second, p)


def _compare(other: Other, first: Sequence[Numbers], second: Sequence[Numbers], p: Precision) -> Verdict:
    found: list[Finding] = []
    places: list[Place] = []
    for what, a, b, factor in _pairs(other, first, second):
        finding, (samples, steps, units) = _set_beside(what, a, b, other, factor, p)
        if finding is None:
            continue
        found.append(finding)
        if finding.broken.any():
            place = finding.place
            places.append(replace(place, n=samples[place.n], t=steps[place.t], unit=units[place.unit]))
    broken = sum(int(finding.broken.sum()) for finding in found)
    judged = sum(finding.got.shape[0] * finding.got.shape[1] for finding in found)
    verdict = Verdict.of(found, WAY, broken, judged, seen_states=False)
    return replace(verdict, place=min(places, key=lambda place: place.t)) if places else verdict


#: The way in which a law is judged.
WAY = "law"


def _pairs(
    other: Other, first: Sequence[Numbers], second: Sequence[Numbers]
) -> Iterator[tuple[str, Numbers, Numbers, float]]:
    theirs = {each.what: each for each in second}
    for each in first:
        if each.what in theirs:
            factor = other.state_factor if each.what == "state" else other.output_factor
            yield each.what, each, theirs[each.what], factor


def _set_beside(
    what: str, a: Numbers, b: Numbers, other: Other, factor: float, p: Precision
) -> tuple[Finding | None, tuple[list[int], list[int], list[int]]]:
    """Set the numbers beside each other that must be equal; and say where those of the first stand in it."""
    samples = [_all(part.samples, len(each.got)) for part, each in ((other.here, a), (other.there, b))]
    steps = [_all(part.steps, e.first + e.got.shape[1]) for part, e in ((other.here, a), (other.there, b))]
    units = [_all(None, each.got.shape[2]) for each in (a, b)]
    if what == "state":
        units = [_all(part.units, each.got.shape[2]) for part, each in ((other.here, a), (other.there, b))]
    seen = [(s, t) for s, t in zip(*steps, strict=True) if s >= a.first and t >= b.first]
    where = samples[0], [s for s, _ in seen], units[0]
    if not seen or not samples[0] or not units[0]:
        return None, where
    one = np.ix_(samples[0], [s - a.first for s, _ in seen], units[0])
    two = np.ix_(samples[1], [t - b.first for _, t in seen], units[1])
    got, changed = a.got[one], factor * b.got[two]
    radius = np.zeros(got.shape)
    # Two NaN are the same only where a NaN may be.
    same = got == changed
    if not same.all():
        bounds = [np.broadcast_to(each, a.got.shape)[one] for each in a.bound]
        others = [np.broadcast_to(each, b.got.shape)[two] for each in b.bound]
        # Both exact answers are one number, and the bounds of both count the oracle's own rounding in.
        radius = bounds[1] + abs(factor) * others[1]
        size = np.maximum(bounds[2], abs(factor) * others[2])
        # Whoever computes something else, with larger numbers, may well keep this law: its rounding is larger too.
        radius = radius * np.maximum(1.0, np.maximum(_largest(got), _largest(changed)) / size)
        radius = sharp_enough(p, changed, got, radius, size)
        same |= np.isnan(got) & np.isnan(changed) & ~np.isfinite(radius)
        radius = np.where(same, 0.0, radius)
        got, changed = np.where(same, 0.0, got), np.where(same, 0.0, changed)
    return Finding(what, changed, got, radius, 0, np.zeros(got.shape, bool)), where


def _largest(a: Array) -> Array:
    """The largest finite number of each sample."""
    largest: Array = np.where(np.isfinite(a), np.abs(a), 0.0).max(axis=(1, 2), keepdims=True)
    return largest


def _all(which: Sequence[int] | None, count: int) -> list[int]:
    return list(range(count)) if which is None else [int(each) for each in which]
