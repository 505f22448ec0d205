"""Wrong scales of a kernel that is declared to have one for each channel: of one channel, of two, of all of them.

Where states or outputs are seen step by step, a wrong channel is seen in its own unit only, which says where to look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.formats import Rounded, Scaled
from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.spec import Spec
from .mistake import Mistake

__all__ = ["MOST", "of_channels"]

Array = npt.NDArray[Any]

#: So many are tried at most, where nothing says which channel is wrong.
MOST = 512


@dataclass(frozen=True)
class _Kernel:
    """A kernel with a scale for each column: its name in a model, that in a name, its gates, its declared scales."""

    name: str
    short: str
    gates: tuple[str, ...]
    columns: int
    scale: Any

    @property
    def units(self) -> int:
        """How many units, or outputs, it has."""
        return self.columns // len(self.gates)

    def scales(self, w: Array) -> Array:
        """The scale of each column ``(gates, units)``, but for a factor that all have in common."""
        if self.scale is None:
            largest: Array = np.abs(w.astype(np.float64)).max(0)
            return np.reshape(largest, (len(self.gates), -1))
        declared: Array = np.broadcast_to(np.asarray(self.scale, np.float64), w.shape)[0]
        return np.reshape(declared, (len(self.gates), -1))


def of_channels(p: Precision, spec: Spec, units: set[int] | None, outputs: set[int] | None) -> Iterator[Mistake]:
    """Yield wrong scales of kernels whose scales are declared by channel.

    Parameters
    ----------
    units, outputs : set of int, optional
        Of which units states are wrong, and which outputs are; None where that is not seen.
    """
    found = [
        each
        for kernel in _kernels(p, spec)
        for each in _of_kernel(kernel, outputs if kernel.name.endswith("/Wo") else units)
    ]
    if len(found) <= MOST:
        yield from (replace(each, among=len(found)) for each in found)


def _kernels(p: Precision, spec: Spec) -> Iterator[_Kernel]:
    shapes = spec.weight_shapes
    gates = {
        f"{spec.prefix(place)}{letter}": spec.direction(place).kinds[place.cell].gates
        for place in spec.places
        for letter in ("Wx", "Wh")
    }
    heads = {name: ("y",) for name in shapes if name.endswith("/Wo")}
    for name, own in (gates | heads).items():
        kind = p.weight_format(name, shapes[name])
        kind = kind.kind if isinstance(kind, Rounded) else kind
        columns = shapes[name][-1]
        if isinstance(kind, Scaled) and _by_channel(kind, columns) and columns > len(own):
            short = name.rpartition("/")[2] if spec.letters else name.replace("/", ".")
            yield _Kernel(name, short, own, columns, kind.scale)


def _by_channel(kind: Scaled, columns: int) -> bool:
    return kind.per == "channel" if kind.scale is None else np.shape(kind.scale)[-1:] == (columns,)


def _of_kernel(kernel: _Kernel, broken: set[int] | None) -> Iterator[Mistake]:
    units = range(kernel.units)
    looked_at = sorted(units if broken is None else broken & set(units))
    pairs = list(pairwise(looked_at)) if broken is None or len(looked_at) == 2 else []
    for gate, letter in enumerate(kernel.gates):
        where = f" of {letter}" if len(kernel.gates) > 1 else ""
        tail = f"-of-{letter}" if where else ""
        for unit in looked_at if broken is None or len(looked_at) == 1 else ():
            for short, says, factor in (("doubled", "multiplied by 2", 2.0), ("halved", "divided by 2", 0.5)):
                yield _made(
                    kernel,
                    f"scale-of-unit-{unit}{tail}-{short}",
                    f"the scale of unit {unit}{where} {says}",
                    "one entry of the array of scales that is wrong, or a shift of its own for each channel",
                    partial(_one, gate=gate, unit=unit, factor=factor),
                )
        for one, other in pairs:
            yield _made(
                kernel,
                f"scales-of-units-{one}-and-{other}{tail}-exchanged",
                f"the scales of units {one} and {other}{where} exchanged",
                "channels in another order than their scales",
                partial(_exchanged, gate=gate, one=one, other=other),
            )
    if broken is None or len(looked_at) > 1:
        for short, says, cause, order in (
            ("of-first-unit-for-all", "the scale of its first unit for all", "per tensor for per channel", _first),
            ("reversed", "its scales reversed", "channels in another order than their scales", _reversed),
            ("rolled", "its scales rolled by one", "a loop over scales that starts one too far", _rolled),
            (
                "rolled-back",
                "its scales rolled back by one",
                "a loop over scales that starts one too far",
                _rolled_back,
            ),
        ):
            yield _made(kernel, f"scales-{short}", says, cause, order)


# Each takes the scales ``(gates, units)``, which may be those of another case with other units, and returns wrong ones.


def _one(scales: Array, gate: int, unit: int, factor: float) -> Array:
    wrong = np.array(scales)
    wrong[gate, unit : unit + 1] *= factor
    return wrong


def _exchanged(scales: Array, gate: int, one: int, other: int) -> Array:
    wrong = np.array(scales)
    if max(one, other) < scales.shape[1]:
        wrong[gate, [one, other]] = scales[gate, [other, one]]
    return wrong


def _first(scales: Array) -> Array:
    return np.full_like(scales, scales[0, 0])


def _reversed(scales: Array) -> Array:
    return np.reshape(scales.ravel()[::-1], scales.shape)


def _rolled(scales: Array) -> Array:
    return np.roll(scales, 1)


def _rolled_back(scales: Array) -> Array:
    return np.roll(scales, -1)


def _made(kernel: _Kernel, name: str, says: str, cause: str, wrong: Callable[[Array], Array]) -> Mistake:
    def change(case: Case) -> Case | None:
        w = case.named_weights.get(kernel.name)
        if w is None:  # a case of another model
            return None
        scales = kernel.scales(w)
        factors = np.where(scales > 0, wrong(scales) / np.where(scales > 0, scales, 1.0), 1.0)
        return case.with_weights(**{kernel.name: (w * factors.ravel()).astype(w.dtype)})

    return Mistake(f"{kernel.short}-{name}", f"with {says} in `{kernel.short}`", cause, "numbers", change)
