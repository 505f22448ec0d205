"""One example, whole: a spec, weights and inputs. Everything that is needed to run once, and to run again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cells.cell import CellWeights
from . import npz
from .call import Call, array_of, read_only, stored
from .layers import Dense
from .spec import Place, Spec
from .wiring import RIGHT

__all__ = ["LETTERS", "Case"]

Array = npt.NDArray[Any]
#: Makes of a weight, by full name and array, what is to be computed with.
Number = Callable[[str, Array], Any]


_WEIGHT_LETTERS = ("Wx", "Wh", "bh", "Wp", "Wo", "bo")
_CALL_LETTERS = ("x", "h0", "mask")
_SIZE_LETTERS = ("N", "T", "D", "M", "K")
#: The attributes of a case of one recurrence and one call.
LETTERS = ("x", *_WEIGHT_LETTERS, "h0", "mask", *_SIZE_LETTERS)


class Case:
    """A spec with numbers in it.

    All numbers are stored in the spec's dtype, read-only, so that everybody computes with the same ones and a port
    that writes into its inputs is found out. The letters are attributes of every case of one recurrence and one call.

    Parameters
    ----------
    spec : Spec
    x : (N, T, D) array
        Inputs of the only call.
    Wx, Wh, bh, Wo, bo : arrays
        Weights of a model of one recurrence, by letter, in Keras's layout: for ``SimpleRNN -> Dense`` of shapes
        ``(D, M), (M, M), (M,), (M, K), (K,)``.
    Wp : (3, M) array, optional
        Peepholes of an LSTM that has them, of the gates i, f, o.
    h0 : (N, M) array, optional
        State before the first step; zeros where it is left out. Then the spec's layer has an ``initial_state``.
    mask : (N, T) bool array, optional
        False holds the state at that step. Then the spec's source is ``"mask"``.
    weights : sequence of arrays
        In the place of letters: all of them, in the order of ``model.get_weights()``.
    calls : sequence of Call
        In the place of `x`, `h0` and `mask`. More than one shows what a stateful layer keeps.

    Raises
    ------
    TypeError, ValueError
        If something is missing or said twice, or a shape does not fit the spec; the message says which.
    """

    spec: Spec
    weights: tuple[Array, ...]
    calls: tuple[Call, ...]
    #: How many cases it stands for: one, unless it is a :class:`~.pack.Pack`.
    cases: int = 1

    if TYPE_CHECKING:  # by letter: attributes of a case of one recurrence and one call
        x: Array
        Wx: Array
        Wh: Array
        bh: Array
        Wo: Array
        bo: Array
        Wp: Array
        h0: Array | None
        mask: Array | None

    def __init__(
        self,
        spec: Spec,
        x: Any = None,
        Wx: Any = None,
        Wh: Any = None,
        bh: Any = None,
        Wo: Any = None,
        bo: Any = None,
        h0: Any = None,
        mask: Any = None,
        *,
        Wp: Any = None,
        weights: Sequence[Any] | None = None,
        calls: Sequence[Call] | None = None,
    ) -> None:
        letters = {"Wx": Wx, "Wh": Wh, "bh": bh, "Wp": Wp, "Wo": Wo, "bo": bo}
        said = [name for name, array in letters.items() if array is not None]
        if weights is not None and said:
            raise TypeError(f"weights already says what {', '.join(said)} are: leave one of them out")
        if calls is None:
            if x is None:
                raise TypeError("a case needs inputs: x, or calls")
            spec = _for_call(spec, h0, mask)
            calls = (Call(x, mask, _states(spec, x, h0)),)
        elif any(array is not None for array in (x, h0, mask)):
            raise TypeError("calls already say what x, h0 and mask are: leave one of them out")
        weights = _by_letter(spec, letters) if weights is None else weights
        self.__dict__.update(spec=spec, weights=_weights(spec, weights))
        if not calls:
            raise ValueError("a case needs at least one call")
        self.__dict__["calls"] = tuple(self._stored(call) for call in calls)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a case cannot be changed: case.replace({name}=...) makes another")

    def _stored(self, call: Call) -> Call:
        spec, dtype = self.spec, self.spec.variable_dtype
        x = np.array(call.x, np.int32, order="C") if spec.embedded else array_of("x", call.x, dtype)
        expected = ("N", "T") if spec.embedded else ("N", "T", "D")
        if x.ndim != len(expected) or (not spec.embedded and x.shape[2] != spec.D):
            of = "" if spec.embedded else f" with D = {spec.D}"
            raise ValueError(f"x has shape {x.shape}, expected ({', '.join(expected)}){of} for {spec}")
        if x.shape[1] == 0:
            raise ValueError(f"x has shape {x.shape}: a call needs at least one step")
        for letter, got in zip("NT", x.shape[:2], strict=True):
            if (fixed := getattr(spec, letter)) not in (None, got):
                raise ValueError(f"x has shape {x.shape}, but the spec is made for {letter} = {fixed}")
        if spec.embedded and x.size and not 0 <= x.min() <= x.max() < spec.vocabulary:
            raise ValueError(f"x has numbers outside of the vocabulary, 0 to {spec.vocabulary - 1}")
        if (call.mask is not None) != (spec.source == "mask"):
            raise ValueError("a call has a mask if, and only if, the spec's source is 'mask'")
        mask = None if call.mask is None else np.array(call.mask, bool, order="C")
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"mask has shape {mask.shape}, expected (N, T) = {x.shape[:2]}")
        states = tuple(array_of("an initial state", state, dtype) for state in call.states)
        wanted = self.spec.state_shapes(x.shape[0])
        if [state.shape for state in states] != wanted:
            raise ValueError(f"initial states have shapes {[s.shape for s in states]}, expected {wanted} for {spec}")
        return Call(read_only(x), None if mask is None else read_only(mask), tuple(map(read_only, states)), call.reset)

    # ---- the letters ----

    def __getattr__(self, name: str) -> Any:
        # Only what is no attribute comes here.
        if name in _WEIGHT_LETTERS:
            return self._weight(name)
        if name in ("x", "mask", "N", "T"):
            return getattr(self._only_call(name), name)
        if name == "h0":
            states = self._only_call(name).states
            return states[0] if states else None
        if name in ("D", "M", "K"):
            return getattr(self.spec, name)
        raise AttributeError(f"a case has no attribute {name!r}")

    def _only_call(self, name: str) -> Call:
        if len(self.calls) > 1:
            raise AttributeError(f"a case of {len(self.calls)} calls has no {name} of its own: look into case.calls")
        return self.calls[0]

    def _weight(self, letter: str) -> Array:
        spec = self.spec
        if (full := spec.letters.get(letter)) is not None:
            return self.named_weights[full]
        if letter == "bh" and spec.letters:
            F = self.named_weights[spec.letters["Wx"]].shape[0]
            return _zeros(spec.cell.weight_shapes(F, spec.M)["bh"], self._float)
        if letter == "bo" and spec.letters and spec.head is not None:
            return _zeros((spec.head.K,), self._float)
        raise AttributeError(f"a case of {spec} has no {letter}: look into case.named_weights")

    @cached_property
    def named_weights(self) -> dict[str, Array]:
        """The weights by full name: ``"layer0/Wx"``."""
        return dict(zip(self.spec.weight_shapes, self.weights, strict=True))

    def part(self, name: str) -> dict[str, Array]:
        """Return the weights of a part by their names in it: ``case.part("layer0")["Wx"]``."""
        prefix = f"{name}/"
        named = self.named_weights.items()
        return {full.removeprefix(prefix): weight for full, weight in named if full.startswith(prefix)}

    def cell_weights(self, place: Place, number: Number | None = None) -> CellWeights:
        """Return the weights of one recurrence; a bias that is not there is zeros.

        Parameters
        ----------
        number : callable, optional
            Makes of each weight, by full name and array, what is to be computed with.
        """
        direction, prefix = self.spec.direction(place), self.spec.prefix(place)
        kind, M = direction.kinds[place.cell], direction.cells[place.cell]
        named = self.named_weights
        shapes = kind.weight_shapes(named[f"{prefix}Wx"].shape[-2], M)  # of a pack the first axis is another
        found = {}
        for name, shape in shapes.items():
            full = f"{prefix}{name}"
            array = named[full] if full in named else np.zeros(shape, self._float)
            found[name] = array if number is None else number(full, array)
        return CellWeights(**found)

    def layer_weights(self, i: int) -> list[list[CellWeights]]:
        """Return the weights of layer `i` by direction and cell; a bias that is not there is zeros."""
        return [
            [self.cell_weights(Place(i, j, k)) for k in range(len(direction.cells))]
            for j, direction in enumerate(self.spec.layers[i].directions)
        ]

    def head_weights(self, number: Number | None = None, part: str = "head") -> tuple[Any, Any]:
        """Return ``(Wo, bo)`` of a model that has a head; a bias that is not there is zeros.

        Parameters
        ----------
        number : callable, optional
            As in :meth:`cell_weights`.
        part : str
            Another Dense layer than the last one: a name in ``spec.dense``.
        """
        named = self.part(part)
        pair = {"Wo": named["Wo"], "bo": named.get("bo", np.zeros(self.spec.dense[part].K, self._float))}
        Wo, bo = (array if number is None else number(f"{part}/{name}", array) for name, array in pair.items())
        return Wo, bo

    @property
    def _float(self) -> Any:
        return self.weights[0].dtype

    def inputs(self, call: Call, number: Number | None = None) -> tuple[Any, npt.NDArray[np.bool_]]:
        """What the first layer gets: features ``(N, T, D)`` and the mask ``(N, T)``, which is all True without one."""
        spec, x, mask = self.spec, call.x, call.mask
        if spec.embedded:
            if spec.source == "embedding with mask":
                mask = x != 0
            table = self.named_weights["embedding/E"]
            table = table if number is None else number("embedding/E", table)
            return table[x], np.ones(x.shape, bool) if mask is None else mask
        if spec.source == "masking":
            # compared in the numbers that are computed with
            value = stored(spec.mask_value, spec.compute_dtype)
            mask = (stored(x, spec.compute_dtype) != value).any(-1)
            x = np.where(mask[..., None], x, np.zeros((), x.dtype))
        return x if number is None else number("", x), np.ones(x.shape[:2], bool) if mask is None else mask

    def masks(self, call: Call) -> list[npt.NDArray[np.bool_]]:
        """Return the mask ``(N, T)`` that each layer gets, all True without one, and what the last one hands on.

        Behind a layer that gives one output there is no mask: ``(N, 1)``, all True.
        """
        masks = [self.inputs(call)[1]]
        for layer in self.spec.layers:
            masks.append(RIGHT.passed_mask(layer, masks[-1]))
        return masks

    # ---- changed copies ----

    def replace(self, **changes: Any) -> Case:
        """Return a copy with some parts changed: `spec`, `weights`, `calls`, or any of the letters."""
        spec, weights, calls = (changes.pop(name, getattr(self, name)) for name in ("spec", "weights", "calls"))
        unknown = changes.keys() - {*_WEIGHT_LETTERS, *_CALL_LETTERS}
        if unknown:
            raise TypeError(f"a case has no {', '.join(sorted(unknown))} to replace")
        if changes.keys() & {*_CALL_LETTERS}:
            old = self._only_call("x")
            x = changes.get("x", old.x)
            mask, states = changes.get("mask", old.mask), old.states
            spec = _for_call(spec, changes.get("h0", states or None), mask)
            if "h0" in changes:
                states = _states(spec, x, changes["h0"])
            calls = (Call(x, mask, states, old.reset),)
        if letters := {name: changes[name] for name in _WEIGHT_LETTERS if name in changes}:
            own = dict(zip(_short(self.spec), self.weights, strict=True))
            weights = _by_letter(spec, own | letters)
        if spec is not self.spec or not calls:
            return Case(spec, weights=weights, calls=calls)
        # what is as it was needs no check
        copy = self.under(spec)
        if weights is not self.weights:
            copy.__dict__["weights"] = _weights(spec, weights, self.weights)
        if calls is not self.calls:
            copy.__dict__["calls"] = tuple(self._stored(call) for call in calls)
        return copy

    def with_weights(self, **changes: Any) -> Case:
        """Return a copy with some weights changed, by full name."""
        return self.replace(weights=tuple(changes.get(name, array) for name, array in self.named_weights.items()))

    def map_calls(self, change: Callable[[Call], Call]) -> Case:
        """Return a copy of whose calls each is changed."""
        return self.replace(calls=tuple(map(change, self.calls)))

    def samples(self, rows: Any) -> Case:
        """Return some samples, in the order given, as a case of their own."""
        return self.map_calls(
            lambda call: call.replace(
                x=call.x[rows],
                mask=None if call.mask is None else call.mask[rows],
                states=tuple(state[rows] for state in call.states),
            )
        )

    def prefix(self, t: int) -> Case:
        """Return the first `t` steps of each call as a case of their own."""
        return self.map_calls(
            lambda call: call.replace(x=call.x[:, :t], mask=None if call.mask is None else call.mask[:, :t])
        )

    def with_every_output(self) -> Case:
        """Return the case of the model that gives the outputs of every step, if this is the notebook's; else itself."""
        return self.under(self.spec.with_every_output()) if self.spec.plain else self

    def under(self, spec: Spec) -> Case:
        """Return the same numbers under a spec that has weights and inputs of the same shapes and dtype."""
        copy = object.__new__(type(self))
        copy.__dict__.update(spec=spec, weights=self.weights, calls=self.calls)
        return copy

    def with_identity_head(self) -> Case:
        """Return the case with a head that changes nothing (exactly, in any precision): ``Wo = I``, ``bo = 0``."""
        return self.with_units_for_outputs(0, self.spec.layers[-1].features)

    def with_units_for_outputs(self, first: int, K: int | None = None) -> Case:
        """Return the case with `K` outputs, which are its last layer's units from `first` on; past the last, zeros.

        Parameters
        ----------
        K : int, optional
            By default as many as the head has.
        """
        M, K = self.spec.layers[-1].features, self.spec.K if K is None else K
        old = self.spec.head
        head = Dense(K) if old is None else old.replace(K=K, activation="linear")
        dense = tuple(f"{part}/" for part in self.spec.dense)
        weights = {name: array for name, array in self.named_weights.items() if not name.startswith(dense)}
        own = {"Wo": np.eye(M, K, -first), "bo": np.zeros(K)}
        spec = replace(self.spec, head=head, hidden=())
        return self.replace(spec=spec, weights=(*weights.values(), *(own[name] for name in head.weight_shapes(M))))

    def writable(self) -> Case:
        """Return a copy whose arrays may be written to: what ports are handed, since some buffers insist on it."""
        copy = Case(self.spec, weights=self.weights, calls=self.calls)
        for array in copy.numbers().values():
            array.flags.writeable = True
        return copy

    # ---- keeping and showing ----

    def numbers(self) -> dict[str, Array]:
        """Return all arrays by name: the weights, and ``call0/x``, ``call0/mask``, ``call0/state0`` of each call."""
        named = dict(self.named_weights)
        for c, call in enumerate(self.calls):
            named[f"call{c}/x"] = call.x
            if call.mask is not None:
                named[f"call{c}/mask"] = call.mask
            named |= {f"call{c}/state{i}": state for i, state in enumerate(call.states)}
        return named

    def fingerprint(self) -> bytes:
        """Return spec and all numbers, bit by bit, as a key."""
        numbers = self.numbers()
        shapes = [(name, array.shape) for name, array in numbers.items()]
        resets = [call.reset for call in self.calls]
        return repr((self.spec, shapes, resets)).encode() + b"".join(a.tobytes() for a in numbers.values())

    def __reduce__(self) -> Any:
        # Through the constructor, so that the arrays are read-only on the other side as well.
        return _again, (self.spec, self.weights, self.calls)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the case to one ``.npz`` file that :meth:`load` and plain ``numpy.load`` read.

        Raises
        ------
        ValueError
            If the spec has an activation or a cell of the user's own, which a file cannot hold.
        """
        npz.write(file, self.spec, [call.reset for call in self.calls], self.numbers())

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Case:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file is no ``.npz`` of a case; the message says what is missing.
        FileNotFoundError
            If there is no such file.
        """
        return npz.read(file, cls)

    def __repr__(self) -> str:
        call = self.calls[0]
        extra = "".join(f", {name}" for name in ("h0", "mask") if self.spec.plain and getattr(self, name) is not None)
        more = f", {len(self.calls)} calls" if len(self.calls) > 1 else ""
        return f"<case {self.spec}, N={call.N}, T={call.T}{extra}{more}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def _again(spec: Spec, weights: Sequence[Array], calls: Sequence[Call]) -> Case:
    return Case(spec, weights=weights, calls=calls)


# ---- from letters ----


def _for_call(spec: Spec, h0: Any, mask: Any) -> Spec:
    """Return the spec that is given a state and a mask, as they are or are not there."""
    if (mask is not None) != (spec.source == "mask") and spec.source in ("input", "mask"):
        spec = replace(spec, source="input" if mask is None else "mask")
    if spec.letters and (h0 is not None) != spec.layer.initial_state:
        spec = spec.with_layer(0, spec.layer.replace(initial_state=h0 is not None))
    return spec


def _states(spec: Spec, x: Any, h0: Any) -> tuple[Any, ...]:
    """Return the initial states of a call: the one that is given, and zeros for what it is given without."""
    if h0 is None:
        return ()
    if not spec.letters:
        raise TypeError(f"{spec} has {spec.without_letters}: give initial states by calls=(Call(x, states=...),)")
    if isinstance(h0, tuple):
        return h0
    return (h0, *(np.zeros((len(x), M)) for M in spec.layer.state_units[1:]))


def _short(spec: Spec) -> tuple[str, ...]:
    """Names of the weights by letter, where there are letters."""
    return tuple(spec.letters) if spec.letters else tuple(spec.weight_shapes)


def _by_letter(spec: Spec, letters: dict[str, Any]) -> tuple[Any, ...]:
    """Put weights into order that are given by letter."""
    if not spec.letters:
        raise TypeError(f"{spec} has {spec.without_letters}: give weights=model.get_weights()")
    missing = [name for name in spec.letters if letters.get(name) is None]
    if missing:
        raise TypeError(f"a case of {spec} needs {', '.join(missing)}")
    for name, array in letters.items():
        if array is not None and name not in spec.letters and np.any(array):
            raise ValueError(f"{name} is given, and {spec} has none")
    return tuple(letters[name] for name in spec.letters)


def _weights(spec: Spec, weights: Sequence[Any], known: Sequence[Array] = ()) -> tuple[Array, ...]:
    """Check weights, and store them; those that are `known` are stored already."""
    shapes = spec.weight_shapes
    if len(weights) != len(shapes):
        raise ValueError(f"{spec} has {len(shapes)} weights ({', '.join(_short(spec))}), not {len(weights)}")
    kept = []
    stored_already = {id(array) for array in known}
    for name, shape, weight in zip(_short(spec), shapes.values(), weights, strict=True):
        if id(weight) in stored_already and weight.shape == shape:
            kept.append(weight)
            continue
        array = array_of(name, weight, spec.variable_dtype)
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {shape} for {spec}")
        kept.append(read_only(array))
    return tuple(kept)


def _zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    return read_only(np.zeros(shape, dtype))
