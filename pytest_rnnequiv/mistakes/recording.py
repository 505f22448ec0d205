"""What a record of numbers cannot show, and what to record to be sure.

Without an implementation to ask, the record is all there is. So each common mistake is made on purpose in its case, and
what would have been recorded is judged as the record is. A mistake that is not found different then cannot be excluded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.oracle import judge
from ..model.case import Case
from ..model.trajectory import Trajectory, shape_of
from .asked import probe_case
from .catalogue import Mistake
from .excluding import outcome, usual

__all__ = ["record_also", "unshown"]

#: Mistakes that are told by name.
TOLD = 4


def unshown(case: Case, shown: Trajectory, precision: Precision | None = None) -> list[Mistake]:
    """Return the common mistakes that a record like this would not show.

    Parameters
    ----------
    case, shown, precision
        As for :func:`~.oracle.judge`.
    """
    generic = probe_case(case)
    return [m for m in usual() if _hides(m, case, shown, precision or case.spec.precision, generic)]


def _hides(mistake: Mistake, case: Case, shown: Trajectory, precision: Precision, generic: Case) -> bool:
    """Whether a mistake can be made in such a model, and would not have been seen."""
    if mistake(case) is None:
        return mistake(generic) is not None
    wrong = outcome(mistake, case, shown, precision)
    return wrong is not None and not judge(case, wrong, precision).different


def record_also(case: Case, shown: Trajectory, precision: Precision | None = None) -> tuple[str, ...]:
    """Say what a record does not show, and what to record beside it; empty where it shows every common mistake."""
    hidden = unshown(case, shown, precision)
    inconclusive = judge(case, shown, precision).inconclusive
    if not hidden and not inconclusive:
        return ()
    sentences = []
    if hidden:
        more = f", and {len(hidden) - TOLD} more" if len(hidden) > TOLD else ""
        named = ", ".join(m.says for m in hidden[:TOLD])
        sentences.append(f"this record would look the same {named}{more}")
    return (*sentences, *_wanted(case, shown, precision or case.spec.precision))


def _wanted(case: Case, shown: Trajectory, precision: Precision) -> Iterator[str]:
    if precision.begun:
        yield "record from a call before which the states are reset, or the states themselves"
    biases = [a for name, a in case.named_weights.items() if name.rpartition("/")[2] in ("bh", "bo")]
    if any(not a.any() for a in biases):
        yield "record a model whose biases are not 0: set some before recording, if training has not"
    if max(call.N for call in case.calls) == 1:
        yield "record two samples or more in one call, with different inputs"
    if max(call.T for call in case.calls) < 3:
        yield "record three steps or more"
    calls = [(each, call) for each, call in zip(shown.each_call, case.calls, strict=True) if each.outputs is not None]
    if all(each.states is None and not any(each.layers) for each, _ in calls):
        last = any(len(shape_of(each.outputs)) == 2 and call.T > 1 for each, call in calls)
        what = "the outputs of every step, or better the states" if last else "the states"
        yield f"record {what}: then each step is judged by itself"
    if precision.coarseness > 1e-6:
        yield "record more decimals: 8 hold a float32"
    if not any(np.abs(call.x).max(initial=0.0) >= 0.3 for call in case.calls):
        yield "record larger inputs: these are all below 0.3"
