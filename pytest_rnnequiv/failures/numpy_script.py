"""The script of the notebook's model: its recurrence, which needs NumPy only.

The lines of a step are written by the cell itself, which computes with expressions instead of numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

from ..arithmetic.activations import Activation
from ..arithmetic.parametrised import parameters
from ..cells.cell import CellWeights
from ..implementations.keras_layers import is_own
from ..model.case import Case
from .written import defined, is_large, literal, typed

__all__ = ["needs_numpy_only", "numpy_script"]


def needs_numpy_only(case: Case) -> bool:
    """Whether NumPy computes a case by a loop that one can read."""
    spec = case.spec
    return spec.plain and len(case.calls) == 1 and spec.dtype in ("float32", "float64")


def numpy_script(case: Case, file: str | None) -> str:
    """Write the recurrence of a case; it prints states and outputs of every step."""
    spec, masked = case.spec, case.mask is not None
    states = spec.cell.states
    body = [*_step(case)]
    # What is put out before the first step that is not masked is zeros, whatever the initial state is.
    out = "o" if masked and case.h0 is not None else states[0]
    if out == "o":
        count = "# the output: zeros before the first step that counts"
        body.append(f"o = np.where(mask[:, t, None], {states[0]}, o)  {count}")
    body += _head(case, out)
    shown = " ".join(f'"{name} =", {name}.tolist(),' for name in states[:1])
    body.append(f'print("step", t, {shown} "y =", y.tolist())')
    lines = [*_imports(body), "", *_numbers(case, file), *_own(case), ""]
    lines += [f"{name} = {start}" for name, start in _starts(case)]
    lines += ["o = np.zeros_like(h)"] if out == "o" else []
    lines += [f"for t in range({case.T}):", *(f"    {line}" for line in body)]
    return "\n".join(lines) + "\n"


def _imports(body: list[str]) -> list[str]:
    return [*(["import math"] if any("math." in line for line in body) else []), "import numpy as np"]


def _numbers(case: Case, file: str | None) -> Iterator[str]:
    """Yield the lines that name the arrays: by letter, and as a file has them."""
    numbers, call = case.numbers(), case.calls[0]
    names = {"x": "call0/x"} | case.spec.letters
    names |= {f"{state}0": f"call0/state{i}" for i, state in enumerate(case.spec.cell.states[: len(call.states)])}
    names |= {} if call.mask is None else {"mask": "call0/mask"}
    if file is not None and is_large(case):
        yield f"case = np.load({file!r})"
        yield f"{', '.join(names)} = (case[name] for name in {tuple(names.values())!r})"
    else:
        yield from (f"{letter} = {literal(numbers[name])}" for letter, name in names.items())


def _own(case: Case) -> Iterator[str]:
    spec = case.spec
    for function, own in {
        "activation": spec.activation,
        "head_activation": spec.head_activation,
        **_gates(case),
    }.items():
        if is_own(own) and parameters(own.name) is None:
            yield from defined(own, function)


def _gates(case: Case) -> dict[str, Activation]:
    """Activations that are options of the cell, by name."""
    return {name: value for name, value in vars(case.spec.cell).items() if isinstance(value, Activation)}


def _starts(case: Case) -> Iterator[tuple[str, str]]:
    """Yield the states before the first step."""
    given = len(case.calls[0].states)
    for i, (name, M) in enumerate(zip(case.spec.cell.states, case.spec.layer.state_units, strict=True)):
        yield name, f"{name}0" if i < given else f"np.zeros(({case.N}, {M}))"


def _step(case: Case) -> Iterator[str]:
    """Yield the lines of one step."""
    spec, written = case.spec, Lines(case.spec.cell.gates)
    cell = copy(spec.cell)
    for name, gate in _gates(case).items():
        setattr(cell, name, written.function(typed(gate, name)))
    named = case.cell_weights(spec.places[0])
    w = CellWeights(**{name: Expression(written, name, array.shape[-1]) for name, array in vars(named).items()})
    states = tuple(
        Expression(written, name, M) for name, M in zip(spec.cell.states, spec.layer.state_units, strict=True)
    )
    x = Expression(written, "x[:, t]", spec.D)
    new = [str(one) for one in cell.step(x, states, w, written.function(typed(spec.activation, "activation")))]
    if len(new) == 1 and written.lines[-1].startswith(f"{new[0]} = "):
        new = [written.lines.pop().partition(" = ")[2]]
    held = [f"np.where(mask[:, t, None], {one}, {h})" for one, h in zip(new, states, strict=True)]
    yield from written.lines
    yield f"{', '.join(map(str, states))} = {', '.join(held if case.mask is not None else new)}"


def _head(case: Case, out: str) -> Iterator[str]:
    f = case.spec.head_activation
    if f.name == "linear":
        yield f"y = {out} @ Wo + bo"
    else:
        yield from (f"a = {out} @ Wo + bo", f"y = {typed(f, 'head_activation')}")


class Lines:
    """The lines of a step, as far as they are written."""

    def __init__(self, gates: Sequence[str]) -> None:
        self.gates = gates
        self.lines: list[str] = []
        self.sums: dict[str, str] = {}
        self.results: list[str] = []

    def sum(self, text: str) -> str:
        """Name what holds several gates; the same one once only."""
        if text not in self.sums:
            self.sums[text] = f"s{len(self.sums) + 1}"
            self.lines.append(f"{self.sums[text]} = {text}")
        return self.sums[text]

    def function(self, typed: str) -> Any:
        """Return the activation that is typed so, of an expression ``a``."""

        def apply(a: Expression) -> Expression:
            name = f"gate_{a.gate}" if a.gate else f"g{len(self.results) + 1}"
            self.results.append(name)
            self.lines += [f"a = {a}", f"{name} = {typed}"]
            return Expression(self, name, *a.shape)

        return apply


class Expression:
    """An operand that a cell uses as an array, and that writes down what is computed. ``shape`` is its last axis."""

    def __init__(self, written: Lines, text: str, width: int, rank: int = 0, gate: str = "") -> None:
        self.written, self.text, self.shape = written, text, (width,)
        self.rank = rank  # 1 of a product, 2 of a sum
        self.gate = gate  # the one that it belongs to

    def __str__(self) -> str:
        return self.text

    def _of(self, text: str, rank: int, other: Any = None) -> Expression:
        gate = self.gate or (other.gate if isinstance(other, Expression) else "")
        return Expression(self.written, text, *self.shape, rank, gate)

    def _within(self, rank: int) -> str:
        return f"({self})" if self.rank > rank else self.text

    def __getitem__(self, key: Any) -> Expression:
        if isinstance(key, int):
            return self._of(f"{self}[{key}]", 0)
        block, gates = key[-1], self.written.gates
        whole = self.text if self.text.isidentifier() else self.written.sum(self.text)
        M, text = block.stop - block.start, f"{whole}[..., {block.start}:{block.stop}]"
        return Expression(self.written, text, M, gate=gates[block.start // M])

    def part(self, index: slice) -> Expression:
        return self[..., index]

    def clipped(self, limit: float) -> Expression:
        return self._of(f"np.clip({self}, -{limit:g}, {limit:g})", 0)

    def __matmul__(self, other: Expression) -> Expression:
        text = f"{self._within(1)} @ {other._within(0)}"
        return Expression(self.written, text, *other.shape, 1, other.gate)

    def __mul__(self, other: Any) -> Expression:
        return self._of(f"{self._within(1)} * {_within(other, 0)}", 1, other)

    def __rmul__(self, other: Any) -> Expression:
        return self._of(f"{other} * {self._within(0)}", 1)

    def __add__(self, other: Any) -> Expression:
        return self._of(f"{self} + {other}", 2, other)

    def __radd__(self, other: Any) -> Expression:
        return self._of(f"{other} + {self}", 2)

    def __sub__(self, other: Any) -> Expression:
        return self._of(f"{self} - {_within(other, 1)}", 2, other)

    def __rsub__(self, other: Any) -> Expression:
        return self._of(f"{other} - {self._within(1)}", 2)


def _within(value: Any, rank: int) -> str:
    return value._within(rank) if isinstance(value, Expression) else str(value)
