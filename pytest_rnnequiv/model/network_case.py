"""One example of a network, whole: weights, and one or more calls in a row. The counterpart of :class:`~.case.Case`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import ACTIVATIONS, Activation
from ..arithmetic.precision import to_bfloat16
from ..cells.simple_rnn import CellWeights
from .case import Case
from .network import Bidirectional, Head, Layer, Network

__all__ = ["Call", "NetworkCase"]

Array = npt.NDArray[Any]
#: Makes of a weight, by name and array, what is to be computed with.
Number = Callable[[str, Array], Any]


def stored(value: Any, dtype: str) -> Array:
    """Return numbers as a network of that dtype holds them; NumPy has no bfloat16, so float32 stands for it."""
    if dtype != "bfloat16":
        return np.array(value, dtype=dtype, order="C")
    return to_bfloat16(np.array(value, dtype=np.float32, order="C"))


@dataclass(frozen=True, eq=False)
class Call:
    """What one call of a network is given.

    Parameters
    ----------
    x : (N, T, D) array, or (N, T) of whole numbers for an ``Embedding``
        Where there is a ``Masking`` layer, masked steps hold its ``mask_value``.
    mask : (N, T) bool array, optional
        For a network whose source is ``"mask"``.
    states : sequence of (N, M) arrays
        Of the layers with ``initial_state``, in order: forward before backward, and each of their cells.
    reset : bool
        Whether ``reset_state()`` comes before.
    """

    x: Array
    mask: Array | None = None
    states: tuple[Array, ...] = ()
    reset: bool = False

    @property
    def N(self) -> int:
        """Samples."""
        return int(self.x.shape[0])

    @property
    def T(self) -> int:
        """Time steps."""
        return int(self.x.shape[1])

    def replace(self, **changes: Any) -> Call:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class NetworkCase:
    """A network with numbers in it.

    Parameters
    ----------
    network : Network
    weights : sequence of arrays
        In the order of ``model.get_weights()``, which is that of ``network.weight_shapes``.
    calls : sequence of Call
        More than one shows what a stateful layer keeps.

    All arrays are stored in the numbers of the network's dtype, read-only.

    Raises
    ------
    ValueError
        If a shape does not fit the network; the message says which.
    """

    network: Network
    weights: tuple[Array, ...]
    calls: tuple[Call, ...]

    def __post_init__(self) -> None:
        network, shapes = self.network, self.network.weight_shapes
        if len(self.weights) != len(shapes):
            raise ValueError(f"{network} has {len(shapes)} weights ({', '.join(shapes)}), not {len(self.weights)}")
        kept = [stored(weight, network.variable_dtype) for weight in self.weights]
        for (name, shape), weight in zip(shapes.items(), kept, strict=True):
            if weight.shape != shape:
                raise ValueError(f"{name} has shape {weight.shape}, expected {shape} for {network}")
        if not self.calls:
            raise ValueError("a case needs at least one call")
        object.__setattr__(self, "weights", tuple(map(_read_only, kept)))
        object.__setattr__(self, "calls", tuple(self._stored(call) for call in self.calls))

    def _stored(self, call: Call) -> Call:
        network, dtype = self.network, self.network.variable_dtype
        x = np.array(call.x, np.int32) if network.embedded else stored(call.x, dtype)
        expected = ("N", "T") if network.embedded else ("N", "T", network.D)
        if x.ndim != len(expected) or (not network.embedded and x.shape[2] != network.D):
            raise ValueError(f"x has shape {x.shape}, expected ({', '.join(map(str, expected))}) for {network}")
        if x.shape[1] == 0:
            raise ValueError(f"x has shape {x.shape}: a call needs at least one step")
        for letter, got in zip("NT", x.shape[:2], strict=True):
            if (fixed := getattr(network, letter)) not in (None, got):
                raise ValueError(f"x has shape {x.shape}, but the network is made for {letter} = {fixed}")
        if network.embedded and x.size and not 0 <= x.min() <= x.max() < network.vocabulary:
            raise ValueError(f"x has numbers outside of the vocabulary, 0 to {network.vocabulary - 1}")
        if (call.mask is not None) != (network.source == "mask"):
            raise ValueError("a call has a mask if, and only if, the network's source is 'mask'")
        mask = None if call.mask is None else np.array(call.mask, bool)
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"mask has shape {mask.shape}, expected (N, T) = {x.shape[:2]}")
        states = tuple(stored(state, dtype) for state in call.states)
        wanted = self.state_shapes(x.shape[0])
        if [state.shape for state in states] != wanted:
            raise ValueError(f"initial states have shapes {[s.shape for s in states]}, expected {wanted}")
        return Call(
            _read_only(x), None if mask is None else _read_only(mask), tuple(map(_read_only, states)), call.reset
        )

    def state_shapes(self, N: int) -> list[tuple[int, int]]:
        """Shapes of the initial states that a call is given."""
        return [
            (N, M)
            for layer in self.network.layers
            if layer.initial_state
            for direction in layer.directions
            for M in direction.cells
        ]

    @classmethod
    def of(cls, case: Case) -> NetworkCase:
        """The same case as one of a network; its last output is the network's."""
        network = Network.of(case.spec)
        (layer,) = network.layers
        assert isinstance(layer, Layer)
        if case.mask is not None:
            network = network.replace(source="mask")
        if case.h0 is not None:
            network = network.with_layer(0, layer.replace(initial_state=True))
        return cls(network, case.weights, (Call(case.x, case.mask, () if case.h0 is None else (case.h0,)),))

    def part(self, name: str) -> dict[str, Array]:
        """Return the weights of a part by their names in it: ``case.part("layer0")["Wx"]``."""
        prefix = f"{name}/"
        named = zip(self.network.weight_shapes, self.weights, strict=True)
        return {full.removeprefix(prefix): weight for full, weight in named if full.startswith(prefix)}

    def cell_weights(self, i: int, number: Number | None = None) -> list[list[CellWeights]]:
        """Return the weights of layer `i`, of each direction and each cell; a bias that is not there is zeros.

        Parameters
        ----------
        number : callable, optional
            Makes of each weight, by name and array, what is to be computed with.
        """
        given = iter(self._part(f"layer{i}", number).values())
        return [
            [
                CellWeights(next(given), next(given), next(given) if layer.use_bias else self._zeros(M, number))
                for M in layer.cells
            ]
            for layer in self.network.layers[i].directions
        ]

    def head_weights(self, number: Number | None = None) -> tuple[Any, Any]:
        """Return ``(Wo, bo)`` of a network that has a head; a bias that is not there is zeros."""
        assert self.network.head is not None
        named = self._part("head", number)
        return named["Wo"], named.get("bo") if self.network.head.use_bias else self._zeros(self.network.head.K, number)

    def _part(self, part: str, number: Number | None) -> dict[str, Any]:
        named = self.part(part)
        return named if number is None else {name: number(f"{part}/{name}", array) for name, array in named.items()}

    def _zeros(self, n: int, number: Number | None) -> Any:
        zeros = np.zeros(n, self._float)
        return zeros if number is None else number("", zeros)

    @property
    def _float(self) -> Any:
        return self.weights[0].dtype

    def inputs(self, call: Call, number: Number | None = None) -> tuple[Any, npt.NDArray[np.bool_]]:
        """What the first layer gets: features ``(N, T, D)`` and the mask ``(N, T)``, which is all True without one."""
        network, x, mask = self.network, call.x, call.mask
        if network.embedded:
            if network.source == "embedding with mask":
                mask = x != 0
            return self._part("embedding", number)["E"][x], np.ones(x.shape, bool) if mask is None else mask
        if network.source == "masking":
            # compared in the numbers that are computed with
            value = stored(network.mask_value, network.compute_dtype)
            mask = (stored(x, network.compute_dtype) != value).any(-1)
            x = np.where(mask[..., None], x, np.zeros((), x.dtype))
        return x if number is None else number("", x), np.ones(x.shape[:2], bool) if mask is None else mask

    def replace(self, **changes: Any) -> NetworkCase:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def with_weights(self, **changes: Any) -> NetworkCase:
        """Return a copy with some weights changed, which are named as in ``network.weight_shapes``."""
        names = list(self.network.weight_shapes)
        return self.replace(weights=tuple(changes.get(n, w) for n, w in zip(names, self.weights, strict=True)))

    def numbers(self) -> dict[str, Array]:
        """Return all arrays by name."""
        named = dict(zip(self.network.weight_shapes, self.weights, strict=True))
        for c, call in enumerate(self.calls):
            named[f"call{c}/x"] = call.x
            if call.mask is not None:
                named[f"call{c}/mask"] = call.mask
            named |= {f"call{c}/state{i}": state for i, state in enumerate(call.states)}
        return named

    def writable(self) -> NetworkCase:
        """Return a copy whose arrays may be written to: what ports are handed, since some buffers insist on it."""
        copy = self.replace()
        for array in copy.numbers().values():
            array.flags.writeable = True
        return copy

    def fingerprint(self) -> bytes:
        """Return network and all numbers, bit by bit, as a key."""
        numbers = self.numbers()
        shapes = [(name, array.shape) for name, array in numbers.items()]
        resets = [call.reset for call in self.calls]
        return repr((self.network, shapes, resets)).encode() + b"".join(a.tobytes() for a in numbers.values())

    def __reduce__(self) -> Any:
        return type(self), (self.network, self.weights, self.calls)

    # ---- keeping and showing ----

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the case to one ``.npz`` file that :meth:`load` and plain ``numpy.load`` read.

        Raises
        ------
        ValueError
            If a layer has an activation of the user's own, which a file cannot hold.
        """
        header = {"format": 1, "network": _plain(self.network), "resets": [call.reset for call in self.calls]}
        with open(file, "wb") as stream:
            np.savez(stream, allow_pickle=False, spec=np.array(json.dumps(header)), **self.numbers())

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> NetworkCase:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file is no ``.npz`` of a network's case; the message says what is missing.
        FileNotFoundError
            If there is no such file.
        """
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(str(arrays.pop("spec")))
            if header["format"] != 1:
                raise ValueError("it was written by a newer version of pytest-rnnequiv")
            network = _from_plain(header["network"])
            calls = []
            for c, reset in enumerate(header["resets"]):
                own = {name.partition("/")[2]: a for name, a in arrays.items() if name.startswith(f"call{c}/")}
                states = [own[f"state{i}"] for i in range(sum(name.startswith("state") for name in own))]
                calls.append(Call(own["x"], own.get("mask"), tuple(states), reset))
            return cls(network, tuple(arrays[name] for name in network.weight_shapes), tuple(calls))
        except FileNotFoundError:
            raise
        except KeyError as error:
            raise ValueError(f"{os.fspath(file)} is no case of a network: it lacks {error}") from error
        except Exception as error:
            raise ValueError(f"{os.fspath(file)} is no .npz file of a network's case: {error}") from error

    def __repr__(self) -> str:
        sizes = ", ".join(f"N={call.N}, T={call.T}" for call in self.calls[:1])
        more = f", {len(self.calls)} calls" if len(self.calls) > 1 else ""
        return f"<case {self.network}, {sizes}{more}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Network, Layer, Bidirectional, Head)}


def _plain(value: Any) -> Any:
    """Return a network as JSON has it."""
    if isinstance(value, Activation):
        if ACTIVATIONS.get(value.name) != value:
            raise ValueError(f"a case with the activation {value.name!r} cannot be saved: it is not one by name")
        return value.name
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if type(value).__name__ in _KINDS:
        named = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return {"is": type(value).__name__, **named}
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        kind = _KINDS[value["is"]]
        return kind(**{name: _from_plain(each) for name, each in value.items() if name != "is"})
    return tuple(map(_from_plain, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
