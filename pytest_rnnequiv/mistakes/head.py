"""Mistakes in the head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import swapped
from ..model.case import Case
from ..model.layers import Dense
from ..model.wiring import Unmade, Wiring
from .mistake import in_case, in_wiring, one_step_late
from .needs import normalizing_head
from .weights import permuted

Array = npt.NDArray[Any]


def _headed(case: Case, **changes: Callable[[Array], Array]) -> Case | None:
    """Change weights of the head, as far as it has them."""
    own = case.part("head")
    return case.with_weights(**{f"head/{name}": change(own[name]) for name, change in changes.items() if name in own})


def _register_permutations() -> None:
    for how in ("reversed", "rolled", "rolled back"):
        for name, axis, what in (
            ("Wo", 0, "the units of `Wo` (rows)"),
            ("Wo", 1, "the outputs of `Wo` (columns)"),
            ("bo", 0, "the outputs of `bo`"),
        ):
            side = "" if name.startswith("b") else ("-columns" if axis else "-rows")

            def change(case: Case, name: str = name, axis: int = axis, how: str = how) -> Case | None:
                return _headed(case, **{name: lambda array: permuted(array, axis, how)})

            in_case(
                "head",
                f"{name}{side}-{how.replace(' ', '-')}",
                f"with {what} {how}" + ("" if how == "reversed" else " by one"),
                "units or outputs kept in another order, or a loop that starts one too far",
            )(change)


_register_permutations()


@in_case("head", "bo-dropped", "without the bias `bo` of the head", "forgotten")
def _(case: Case) -> Case | None:
    return _headed(case, bo=np.zeros_like)


@in_case("head", "bo-doubled", "with the bias `bo` of the head counted twice", "added twice")
def _(case: Case) -> Case | None:
    return _headed(case, bo=lambda bo: 2 * bo)


@in_case(
    "head",
    "Wo-memory-order",
    "with `Wo` read in the other memory order (where it is square that is transposed)",
    "a buffer written row by row and read column by column, or PyTorch's `Linear.weight`",
)
def _(case: Case) -> Case | None:
    return _headed(case, Wo=lambda Wo: Wo.reshape(Wo.shape[::-1]).T)


@in_case("head", "Wo-dropped", "without the weights `Wo` of the head (only its bias)", "a product left out")
def _(case: Case) -> Case | None:
    return _headed(case, Wo=np.zeros_like)


@in_case(
    "head",
    "head-dropped",
    "without the head (the states are returned)",
    "the layer's output taken for the model's; only possible where K = M",
)
def _(case: Case) -> Case | None:
    head = case.spec.head
    return case.with_identity_head() if head is not None and case.spec.layers[-1].features == head.K else None


@in_case(
    "head",
    "head-of-previous-step",
    "with the head applied to the state of the step before",
    "the head computed before the state is updated",
    head_only=True,
)
def _(case: Case) -> Case | None:
    return one_step_late(case) if case.spec.plain else None


def _with_head_activation(case: Case, activation: Any) -> Case | None:
    if case.spec.head is None:
        return None
    return case.replace(spec=case.spec.replace(head_activation=activation))


@in_case("head", "head-activation-ignored", "without the activation of the head", "logits taken for the output")
def _(case: Case) -> Case | None:
    return _with_head_activation(case, "linear")


@in_case(
    "head",
    "activation-on-head",
    "with the recurrent activation applied to the head as well",
    "one activation for all layers",
)
def _(case: Case) -> Case | None:
    head = case.spec.head
    if head is None or head.activation.name != "linear":
        return None
    return _with_head_activation(case, case.spec.layers[-1].directions[0].activation)


class _HeadOverAxis(Wiring):
    """The activation of the head, where it is of a whole axis, over another one."""

    axis: int

    def head_output(self, head: Dense, a: Any) -> Any:
        if head.activation.per_term is None or a.ndim <= self.axis:
            raise Unmade
        return swapped(head.activation(swapped(a, self.axis)), self.axis)


@in_wiring(
    "head",
    "head-of-last-step-for-all",
    "with the head's output of the last step in every step",
    "a head that is applied once, and repeated",
)
class _LastRepeated(Wiring):
    def head_output(self, head: Dense, a: Any) -> Any:
        if a.ndim == 2:
            raise Unmade
        return super().head_output(head, a[:, np.full(a.shape[1], a.shape[1] - 1)])


@in_wiring(
    "head",
    "softmax-over-time",
    "with the head's softmax over the steps, not the outputs",
    "the wrong axis",
    needs=normalizing_head,
)
class _OverTime(_HeadOverAxis):
    axis = 1

    def head_output(self, head: Dense, a: Any) -> Any:
        if a.ndim == 2:
            raise Unmade
        return super().head_output(head, a)


@in_wiring(
    "head",
    "softmax-over-samples",
    "with the head's softmax over the samples, not the outputs",
    "the wrong axis",
    needs=normalizing_head,
)
class _OverSamples(_HeadOverAxis):
    axis = 0
