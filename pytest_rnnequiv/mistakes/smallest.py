"""The smallest thing that an implementation gets wrong: one unit, one step, no input, and what its biases make.

An implementation that is wrong under all conditions shows nothing by them, but a single number does: the gates are
opened and shut by their biases, one of them is left half open, and the state is set beside the right one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..model.case import Case
from ..model.forward import reference
from .asked import Asker, probe_case
from .sentences import joined

__all__ = ["smallest"]

#: A bias that opens a gate, or shuts it; and one at which an activation is not linear, which is no binary fraction.
OPEN, BENT = 40.0, 0.3

#: An input, and the weight that it meets.
INPUT, WEIGHT = 0.7, 0.6

#: How far a state is from 0 that something is left of.
LEFT = 0.01


def smallest(asker: Asker, like: Case) -> Iterator[str]:
    """Yield the first number that comes out wrong, as a sentence; nothing where all of them are right.

    Parameters
    ----------
    like : Case
        Of one recurrence, and of the kind to ask about; it takes any weights and sizes.
    """
    gates = like.spec.cell.gates
    biases = _settled(like)
    if biases is None:
        return
    half_open = [{**biases, gate: 0.0} for gate in gates if abs(biases[gate]) == OPEN]
    for tried in (biases, *half_open):
        if numbers := _wrong(asker, _one_unit(like, tried)):
            yield f"in one step of one unit without input, `bh` of {_named(tried)} makes {numbers}"
            return
    for gate in gates:
        tried = biases | {gate: 0.0}
        if numbers := _wrong(asker, _one_unit(like, tried, gate)):
            own = f"an input of {INPUT:g} with `Wx` of {WEIGHT:g}" + (f" in gate `{gate}`" if len(gates) > 1 else "")
            yield f"in one step of one unit, {own}, and `bh` of {_named(tried)}, makes {numbers}"
            return


def _settled(like: Case) -> dict[str, float] | None:
    """Biases by which each gate is open, or shut where nothing would be left of the state otherwise."""
    gates = like.spec.cell.gates
    # the candidate is what the gates let through, and called as the state that it becomes
    found = {gate: BENT if gate in ("h", "c") else OPEN for gate in gates}
    for gate in (None, *gates):
        tried = found if gate is None else found | {gate: -OPEN}
        case = _one_unit(like, tried)
        if case is None:
            return None
        if np.abs(np.asarray(reference(case).outputs)).max() > LEFT:
            return tried
    return None


def _one_unit(like: Case, biases: Mapping[str, float], gate: str = "") -> Case | None:
    """One unit in one step, with an input into one gate if that is named; its output is its state."""
    try:
        case = probe_case(like, N=1, T=1, D=1, M=1, K=1)
        full, gates = case.spec.letters, case.spec.cell.gates
        bh = np.zeros(case.named_weights[full["bh"]].shape)
        bh[(0,) * (bh.ndim - 1)] = [biases[each] for each in gates]
        zeros = {name: np.zeros_like(weight) for name, weight in case.named_weights.items()}
        Wx = zeros[full["Wx"]] + [[WEIGHT * (each == gate) for each in gates]]
        case = case.with_weights(**zeros | {full["bh"]: bh, full["Wx"]: Wx, full["Wo"]: np.ones((1, 1))})
        return case.map_calls(
            lambda call: call.replace(
                x=np.full(call.x.shape, INPUT if gate else 0.0), states=tuple(map(np.zeros_like, call.states))
            )
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # it has no biases, or its inputs are no numbers


def _wrong(asker: Asker, case: Case | None) -> str:
    """Say what an implementation makes of a case, and what it should; empty where it is right, or does not take it."""
    answer = asker.ask(case)
    if answer is None or not answer.wrong or answer.numbers is None:
        return ""
    got, expected = float(answer.numbers[0, -1, 0]), float(answer.expected[0, -1, 0])
    digits = next((n for n in range(3, 9) if f"{got:.{n}g}" != f"{expected:.{n}g}"), 9)
    return f"{got:.{digits}g} where {expected:.{digits}g} is right"


def _named(biases: Mapping[str, float]) -> str:
    return (
        joined([f"{gate} = {bias:g}" for gate, bias in biases.items()])
        if len(biases) > 1
        else f"{min(biases.values()):g}"
    )
