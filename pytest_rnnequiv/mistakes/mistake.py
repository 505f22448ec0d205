"""What a mistake is.

A mistake is a *case transformation followed by the correct recurrence*: whoever transposes ``Wh`` computes the right
recurrence of the case in which ``Wh`` is transposed. So one catalogue serves twice. The oracle must tell every mistake
from the truth (the selfcheck), and a port that differs is explained by the mistake under which it becomes equivalent
(the diagnosis). Testers say mutation operator.

- Most are made in *one recurrence*: in its weights, its activation, its step. Then they are made in all recurrences of
  a model alike, and :meth:`Mistake.placed` makes them in one of several.
- Some are made in Dense layers, in all of them or in one of several.
- Some are made in the whole case: in its inputs, options, states, its head.
- What is wrong *between* the recurrences is no case of any model: outputs that are not turned back, one layer's state
  in another. That is a wrong :class:`~..model.wiring.Wiring`, walked by the same walk.
- Where it is the arithmetic, the case is the same, and its numbers are coarser.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..arithmetic.precision import Precision
from ..cells.cell import Cell, CellWeights
from ..judging.verdict import Verdict
from ..model.call import Call
from ..model.case import Case
from ..model.forward import shown_by
from ..model.spec import Place, Spec
from ..model.trajectory import Trajectory
from ..model.wiring import RIGHT, Unmade, Wiring
from .arithmetic import walk_in
from .conditions import Only
from .made import Made, outputs_of, whole
from .needs import Need, anywhere, of_group, of_wiring

__all__ = [
    "CATALOGUE",
    "Mistake",
    "Recurrence",
    "cell_like",
    "family",
    "in_case",
    "in_dense",
    "in_recurrence",
    "in_wiring",
    "made_in",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Recurrence:
    """One recurrence of a case: what a mistake in it is made of.

    Attributes
    ----------
    Wx, Wh, bh : arrays
        Its weights; a bias that is not there is zeros.
    activation : Activation
    cell : Cell
    Wp : array, optional
        Of a cell with peepholes.
    Wr : array, optional
        Of a cell with a projection.
    """

    Wx: Array
    Wh: Array
    bh: Array
    activation: Activation
    cell: Cell
    Wp: Array | None = None
    Wr: Array | None = None

    @property
    def D(self) -> int:
        """Its features."""
        return int(self.Wx.shape[0])

    @property
    def M(self) -> int:
        """Its units."""
        return int(self.Wx.shape[1] // len(self.cell.gates))

    @property
    def feeds_units(self) -> bool:
        """Whether its units themselves go into the next step, and not a projection of them."""
        return len(self.Wh) == self.M

    def replace(self, **changes: Any) -> Recurrence:
        """Return a copy with some parts changed."""
        return replace(self, **changes)

    def map(self, change: Callable[[Array], Array]) -> Recurrence:
        """Return a copy of whose kernels and biases each is changed."""
        return self.replace(Wx=change(self.Wx), Wh=change(self.Wh), bh=change(self.bh))

    def by_gate(self, kernel: Array, change: Callable[[Array], Array]) -> Array:
        """Change the block of each gate of a kernel by itself."""
        return np.concatenate([change(block) for block in np.split(kernel, len(self.cell.gates), axis=1)], axis=1)


ChangeOfCase = Callable[[Case], "Case | None"]
#: Of a case and the names of some of its Dense layers, ``spec.dense``.
ChangeOfDense = Callable[[Case, Collection[str]], "Case | None"]
ChangeOfRecurrence = Callable[[Recurrence], "Recurrence | None"]


@dataclass(frozen=True)
class Mistake:
    """One well-known way to get it wrong.

    Parameters
    ----------
    name : str
        Short, without spaces: what tables and ``-k`` use.
    says : str
        Completes "it is the recurrence ...".
    cause : str
        How people come to make it.
    group : str
        The part of the model that it is about.
    change : callable, optional
        Case -> case, or None where the mistake cannot be made (``Wx`` and ``Wh`` swapped needs ``D == M``).
    recurrence : callable, optional
        The same for one recurrence. Without `change`, it is made in every recurrence of a case.
    wiring : Wiring
        How the parts are put together, where that is the mistake.
    precision : Precision, optional
        The arithmetic, where that is the mistake.
    computed : bool
        Whether that arithmetic is known to the last rounding, so that it is told by its bounds, and not by its digits.
    head_only : bool
        The states are right, though those of the changed case are not: only the outputs can show it.
    needs : callable
        Whether a case has what the mistake is about; where it has not, the mistake changes nothing.
    dense : callable, optional
        The same in some Dense layers of the head, by their names. Without `change`, it is made in each of them.
    where : Place, optional
        The recurrence that it is made in; None is all.
    only : Only, optional
        The option of the layers that it is made in; None is all.
    option : str
        What the mistake is about that Keras lacks, of :data:`~..cells.cell.BEYOND_KERAS`; without, it changes nothing.
    among : int
        Of how many that are alike it is one, so that one of them may fit by chance.
    siblings : tuple of Mistake
        The same with another number (of bits, of a clamp). The catalogue lists one of them, the diagnosis tries all.
    """

    name: str
    says: str
    cause: str
    group: str
    change: ChangeOfCase | None = None
    recurrence: ChangeOfRecurrence | None = None
    dense: ChangeOfDense | None = None
    wiring: Wiring = RIGHT
    precision: Precision | None = None
    computed: bool = False
    head_only: bool = False
    needs: Need = anywhere
    where: Place | None = None
    only: Only | None = None
    option: str = ""
    among: int = 1
    siblings: tuple[Mistake, ...] = ()

    def __call__(self, case: Case) -> Case | None:
        """Return the case as the mistaken implementation takes it, or None where that changes nothing."""
        if not self.needs(case) or (self.option and self.option not in case.spec.options):
            return None
        with np.errstate(all="ignore"):  # what overflows is as wrong as it should be
            changed = self._changed(case)
        if changed is None or (self.wiring is RIGHT and self.precision is None and _same(changed, case)):
            return None
        return changed

    def _changed(self, case: Case) -> Case | None:
        if self.change is not None and self.where is None and self.only is None:
            return self.change(case)
        if self.dense is not None:
            return self.dense(case, case.spec.dense)
        if self.recurrence is None:
            return case
        # a case of another model may lack the place
        places = [place for place in case.spec.places if self.where in (None, place)]
        if self.only is not None:
            places = [p for p in places if self.only.holds(case.spec.direction(p), p.cell)]
        for place in places:
            case = made_in(case, place, self.recurrence)
        return case

    def run(self, case: Case, dtype: Any = None, precision: Precision | None = None) -> Trajectory:
        """Compute what an implementation that makes this mistake shows.

        Parameters
        ----------
        dtype : dtype, optional
            The numbers to compute in; by default those of the case, or of the arithmetic that is the mistake. Where the
            mistake cannot be made, it is the plain recurrence.
        precision : Precision, optional
            The arithmetic to compute in, where that is not the mistake; by default that of the case.
        """
        changed = self(case)
        p = (precision or case.spec.precision) if self.precision is None or changed is None else self.precision
        right = walk_in(p, case.with_every_output(), dtype=dtype)
        if changed is None:
            return shown_by(right.calls(), case)
        try:
            walked = walk_in(p, whole(changed, self.wiring), self.wiring, dtype).calls()
        except Unmade:
            return shown_by(right.calls(), case)
        shown = _as_of(case, changed, walked)
        if self.head_only:
            truth = shown_by(right.calls(), case)
            pairs = zip(truth.each_call, shown.each_call, strict=True)
            shown = Trajectory.of_calls([a.replace(outputs=b.outputs) for a, b in pairs])
        return shown

    def judge(self, case: Case, shown: Trajectory, precision: Precision | None = None) -> Verdict | None:
        """Judge whether this is what an implementation with this mistake shows; None where it changes nothing."""
        made = self.made(case)
        return None if made is None else made.judge(case, shown, precision)

    def made(self, case: Case) -> Made | None:
        """Return what an implementation with this mistake makes of a case; None where it changes nothing."""
        changed = self(case)
        return None if changed is None else Made(changed, self.wiring, self.precision, self.head_only, self.computed)

    def placed(self, spec: Spec) -> Iterator[Mistake]:
        """Yield the same mistake made in one recurrence or Dense layer, for each of several that a model has."""
        if self.dense is not None and spec.hidden:
            for part in spec.dense:
                said = f"{self.says} (in {part})"
                yield replace(self, name=f"{part}.{self.name}", says=said, change=in_one(part, self.dense))
        if self.recurrence is None or len(spec.places) < 2:
            return
        # the cells of a layer have one activation in common
        shared = self.group == "activation" or self.name in ("state-in-float16", "state-in-bfloat16")
        for place in spec.places:
            if shared and place.cell:
                continue
            address = spec.address(place, shared)
            name, says = ".".join([*address, self.name]), f"{self.says} (in {', '.join(address)})"
            yield replace(self, name=name, says=says, where=place)

    def only_if(self, option: Only) -> Mistake:
        """Return the same mistake made only in layers that have an option."""
        name, says = f"{option.option}-{option.value}.{self.name}", f"{self.says} ({option})"
        return replace(self, name=name, says=says, only=option)

    def __str__(self) -> str:
        return self.name


def in_one(part: str, change: ChangeOfDense) -> ChangeOfCase:
    """Make a change in one Dense layer only."""
    return lambda case: change(case, (part,))


def made_in(case: Case, place: Place, change: ChangeOfRecurrence) -> Case:
    """Make a mistake in one recurrence, if it can be made there."""
    spec = case.spec
    direction, prefix = spec.direction(place), spec.prefix(place)
    kind = direction.kinds[place.cell]
    own = Recurrence(**vars(case.cell_weights(place)), activation=direction.activation, cell=kind)
    changed = change(own)
    if changed is None:
        return case
    if changed.bh.any() and not direction.use_bias:  # a number that is added to no bias
        case = _with_biases(case, place)
        spec = case.spec
    names = ("Wx", "Wh", "bh", "Wp", "Wr")
    new = {name: array for name in names if (array := getattr(changed, name)) is not getattr(own, name)}
    if any(array.shape != getattr(own, name).shape for name, array in new.items()):  # of a projection Wh is not square
        return case
    options: dict[str, Any] = {}
    if changed.activation is not own.activation and place.cell == 0:  # the cells have theirs in common
        options["activation"] = changed.activation
    if changed.cell is not kind:
        kinds = list(direction.kinds)
        kinds[place.cell] = changed.cell
        options["cell"] = tuple(kinds) if isinstance(direction.units, tuple) else changed.cell
    if options:
        case = case.under(spec.with_direction(place, **options))
    return case.with_weights(**{f"{prefix}{name}": array for name, array in new.items()}) if new else case


def _with_biases(case: Case, place: Place) -> Case:
    """Give a layer without biases some that are zeros."""
    spec, named = case.spec.with_direction(place, use_bias=True), case.named_weights
    weights = [named.get(name, np.zeros(shape)) for name, shape in spec.weight_shapes.items()]
    return Case(spec, weights=weights, calls=case.calls)


def _same(a: Case, b: Case) -> bool:
    """Whether two cases are the same to the bit."""
    if a is b:
        return True
    if a.spec != b.spec or [call.reset for call in a.calls] != [call.reset for call in b.calls]:
        return False
    one, two = a.numbers().values(), b.numbers().values()
    pairs = zip(one, two, strict=False)
    return len(one) == len(two) and all(x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in pairs)


def _as_of(case: Case, changed: Case, walked: Trajectory) -> Trajectory:
    """Show of a mistaken run what the model shows: states where it returns them, and layers of its own shapes."""
    if len(changed.spec.layers) != len(case.spec.layers):
        return outputs_of(walked)
    shown = shown_by(walked, case)
    pairs = zip(shown.each_call, case.calls, strict=True)
    return Trajectory.of_calls([_with_every_step(each, case.spec, call.T) for each, call in pairs])


def _with_every_step(shown: Trajectory, spec: Spec, T: int) -> Trajectory:
    """Leave out what has lost steps on its way through the layers."""
    layers = [
        replace(
            seen,
            output=None if layer.return_sequences and _steps(seen.output) != T else seen.output,
            states=None if seen.states is not None and _steps(seen.states) != T else seen.states,
        )
        for layer, seen in zip(spec.layers, shown.layers, strict=False)
        if seen is not None
    ]
    return shown.replace(layers=tuple(layers)) if layers else shown


def _steps(numbers: Any) -> int:
    return int(np.shape(numbers[0] if isinstance(numbers, tuple) else numbers)[1])


# ---- the registry ----

CATALOGUE: list[Mistake] = []


def in_case(
    group: str, name: str, says: str, cause: str, needs: Need | None = None, **more: Any
) -> Callable[[ChangeOfCase], ChangeOfCase]:
    """Register a mistake that makes another case."""

    def register(change: ChangeOfCase) -> ChangeOfCase:
        CATALOGUE.append(Mistake(name, says, cause, group, change, needs=needs or of_group(group), **more))
        return change

    return register


def in_dense(group: str, name: str, says: str, cause: str, **more: Any) -> Callable[[ChangeOfDense], ChangeOfDense]:
    """Register a mistake that is made in Dense layers: a function of the case, and of the names of some of them."""

    def register(change: ChangeOfDense) -> ChangeOfDense:
        CATALOGUE.append(Mistake(name, says, cause, group, dense=change, **more))
        return change

    return register


def in_recurrence(
    group: str, name: str, says: str, cause: str, **more: Any
) -> Callable[[ChangeOfRecurrence], ChangeOfRecurrence]:
    """Register a mistake that is made in a recurrence."""

    def register(change: ChangeOfRecurrence) -> ChangeOfRecurrence:
        CATALOGUE.append(Mistake(name, says, cause, group, recurrence=change, **more))
        return change

    return register


def family(shown: int, *members: Mistake) -> None:
    """Register mistakes that differ in a number: the catalogue lists one, and the others as its siblings."""
    others = tuple(member for i, member in enumerate(members) if i != shown)
    CATALOGUE.append(replace(members[shown], siblings=others))


def in_wiring(
    group: str, name: str, says: str, cause: str, needs: Need | None = None
) -> Callable[[type[Wiring]], type[Wiring]]:
    """Register a wrong wiring."""

    def register(kind: type[Wiring]) -> type[Wiring]:
        wiring, of_what = kind(), needs or of_group(group)
        rules = of_wiring(wiring)
        made_in: Need = lambda case: of_what(case) and rules(case)  # noqa: E731
        CATALOGUE.append(Mistake(name, says, cause, group, wiring=wiring, needs=made_in))
        return kind

    return register


# ---- what several of them need ----

#: Kinds of cells that were made of others, by these and by what is said of them.
_KINDS: dict[tuple[type[Cell], str], type[Cell]] = {}


def cell_like(cell: Cell, name: str, methods: Callable[[type[Cell]], dict[str, Any]]) -> Cell:
    """Return a cell with the same options, of a kind that differs in some methods.

    Parameters
    ----------
    name : str
        What the kind is called: one name, one change.
    methods : callable
        The kind of the cell -> the methods, by name.
    """
    kind = type(cell)
    if (kind, name) not in _KINDS:
        _KINDS[kind, name] = type(f"{kind.__name__} {name}", (kind,), methods(kind))
    return _KINDS[kind, name](**vars(cell))


def each_layer(case: Case, change: Callable[[Any], Any]) -> Case:
    """Return the case with each layer changed, in such a way that its weights and inputs still fit."""
    return case.under(replace(case.spec, layers=tuple(map(change, case.spec.layers))))


def with_mask(case: Case, mask: Callable[[Call, Array], Array | None]) -> Case:
    """Return the same features under another mask, given as an argument; None is no mask.

    Parameters
    ----------
    mask : callable
        Of a call and its mask, ``(N, T)``.
    """
    spec = case.spec
    calls = []
    for call in case.calls:
        _, own = case.inputs(call)
        x = case.named_weights["embedding/E"][call.x] if spec.embedded else call.x
        calls.append(call.replace(x=x, mask=mask(call, own)))
    weights = case.weights[1:] if spec.embedded else case.weights
    spec = replace(spec, source="input" if calls[0].mask is None else "mask")
    return Case(spec, weights=weights, calls=calls)


def one_step_late(case: Case) -> Case:
    """Return the case in which every step gets the input of the step before, and the first one is skipped."""
    late = case.map_calls(lambda call: call.replace(x=np.roll(call.x, 1, axis=1)))
    return with_mask(late, lambda call, mask: mask & (np.arange(call.T) > 0))


def with_states(case: Case, states: Callable[[Place, Call], Any]) -> Case | None:
    """Return the case that starts, in every recurrence, from a state; other states of a cell start from zeros.

    Parameters
    ----------
    states : callable
        Of a place and a call, its first state, ``(N, M)``; None leaves the case as it is.
    """
    spec = case.spec
    if spec.stateful:
        return None

    def given(layer: Any) -> Any:
        if hasattr(layer, "forward"):
            backward = layer.backward and layer.backward.replace(initial_state=True)
            return layer.replace(forward=layer.forward.replace(initial_state=True), backward=backward)
        return layer.replace(initial_state=True)

    calls = []
    for call in case.calls:
        found: list[Array] = []
        for place in spec.places:
            first = states(place, call)
            if first is None:
                return None
            found += [first, *(np.zeros((call.N, M)) for M in spec.state_units(place)[1:])]
        calls.append(call.replace(states=tuple(found)))
    return Case(replace(spec, layers=tuple(map(given, spec.layers))), weights=case.weights, calls=calls)


def started_at(case: Case, states: Callable[[Place, Call], Any]) -> Case | None:
    """Return what :func:`with_states` does, unless it starts from these states as it is."""
    moved = False

    def noted(place: Place, call: Call) -> Any:
        nonlocal moved
        first = states(place, call)
        moved |= first is not None and not np.array_equal(first, initial_state(case, place, call))
        return first

    started = with_states(case, noted)
    return started if moved else None


def initial_state(case: Case, place: Place, call: Call) -> Array:
    """The first state that a recurrence starts from, as float64."""
    spec, at = case.spec, 0
    M = spec.state_units(place)[0]
    for i, layer in enumerate(spec.layers):
        for j, direction in enumerate(layer.directions):
            for k, kind in enumerate(direction.kinds):
                if (i, j, k) == tuple(place):
                    given = layer.initial_state
                    return call.states[at].astype(np.float64) if given else np.zeros((call.N, M))
                at += len(kind.states) if layer.initial_state else 0
    raise ValueError(f"there is no {place} in {spec}")


def weights_of(case: Case, place: Place) -> CellWeights:
    """The weights of a recurrence, as float64."""
    return case.cell_weights(place, lambda name, array: array.astype(np.float64))
