"""Mistakes in the head."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation, activation
from ..arithmetic.inexact import choose, reshaped, swapped
from ..cells.cell import Cell
from ..model.case import Case
from ..model.layers import Dense
from ..model.wiring import Unmade, Wiring
from .exchanging import exchanged
from .mistake import Mistake, Recurrence, cell_like, family, in_case, in_dense, in_recurrence, in_wiring, one_step_late
from .needs import head, hidden, several_samples
from .weights import laid_out_transposed, permuted

Array = npt.NDArray[Any]


def _headed(case: Case, parts: Collection[str], **changes: Callable[[Array], Array]) -> Case | None:
    """Change weights of some Dense layers, as far as they have them."""
    own = case.named_weights
    named = {f"{part}/{name}": change for part in parts for name, change in changes.items()}
    return case.with_weights(**{name: change(own[name]) for name, change in named.items() if name in own})


def _register_permutations() -> None:
    for how in ("reversed", "rolled", "rolled back"):
        for name, axis, what in (
            ("Wo", 0, "the units of `Wo` (rows)"),
            ("Wo", 1, "the outputs of `Wo` (columns)"),
            ("bo", 0, "the outputs of `bo`"),
        ):
            side = "" if name.startswith("b") else ("-columns" if axis else "-rows")

            def change(
                case: Case, parts: Collection[str], name: str = name, axis: int = axis, how: str = how
            ) -> Case | None:
                return _headed(case, parts, **{name: lambda array: permuted(array, axis, how)})

            in_dense(
                "head",
                f"{name}{side}-{how.replace(' ', '-')}",
                f"with {what} {how}" + ("" if how == "reversed" else " by one"),
                "units or outputs kept in another order, or a loop that starts one too far",
            )(change)


_register_permutations()


@in_dense("head", "bo-dropped", "without the bias `bo` of the head", "forgotten")
def _(case: Case, parts: Collection[str]) -> Case | None:
    return _headed(case, parts, bo=np.zeros_like)


@in_dense("head", "bo-doubled", "with the bias `bo` of the head counted twice", "added twice")
def _(case: Case, parts: Collection[str]) -> Case | None:
    return _headed(case, parts, bo=lambda bo: 2 * bo)


@in_dense(
    "head",
    "Wo-memory-order",
    "with `Wo` read in the other memory order (where it is square that is transposed)",
    "a buffer written row by row and read column by column, or PyTorch's `Linear.weight`",
)
def _(case: Case, parts: Collection[str]) -> Case | None:
    return _headed(case, parts, Wo=lambda Wo: Wo.reshape(Wo.shape[::-1]).T)


@in_dense(
    "head",
    "Wo-laid-out-transposed",
    "with `Wo` transposed in memory, and read in its own shape",
    "`Linear.weight` of PyTorch, which is (outputs, inputs), copied byte by byte",
)
def _(case: Case, parts: Collection[str]) -> Case | None:
    return _headed(case, parts, Wo=laid_out_transposed)


def _register_factors() -> None:
    for short, says, cause, factor in (
        ("doubled", "multiplied by 2", "a scale that is applied twice", 2.0),
        ("halved", "divided by 2", "a scale of the outputs that is left in", 0.5),
    ):

        def change(case: Case, parts: Collection[str], factor: float = factor) -> Case | None:
            return _headed(case, parts, Wo=lambda Wo: Wo * factor)

        in_dense("head", f"Wo-{short}", f"with `Wo` {says}", cause)(change)


_register_factors()


def _without(at: Any) -> Callable[[Array], Array]:
    def change(a: Array) -> Array:
        a = a.copy()
        a[at] = 0
        return a

    return change


def _register_skipped() -> None:
    for which, at, cause in (
        ("first", 0, "a loop of the head that starts at 1"),
        ("last", -1, "a loop of the head that ends one too early (`< n - 1`)"),
    ):

        def unread(case: Case, parts: Collection[str], at: int = at) -> Case | None:
            return _headed(case, parts, Wo=_without(at))

        def uncomputed(case: Case, parts: Collection[str], at: int = at) -> Case | None:
            return _headed(case, parts, Wo=_without((..., at)), bo=_without(at))

        in_dense("head", f"{which}-unit-not-read-by-head", f"with the {which} unit not read by the head", cause)(unread)
        in_dense("head", f"{which}-output-not-computed", f"with the {which} output not computed (it stays 0)", cause)(
            uncomputed
        )


_register_skipped()


@in_dense("head", "Wo-dropped", "without the weights `Wo` of the head (only its bias)", "a product left out")
def _(case: Case, parts: Collection[str]) -> Case | None:
    return _headed(case, parts, Wo=np.zeros_like)


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


def _with_activations(case: Case, parts: Collection[str], changed: Any) -> Case | None:
    """Return the case with another activation in some Dense layers."""
    spec = case.spec
    dense = [each.replace(activation=changed) if part in parts else each for part, each in spec.dense.items()]
    return case.under(spec.with_dense(dense)) if dense else None


def _with_hidden_activations(case: Case, changed: str) -> Case | None:
    return _with_activations(case, [part for part in case.spec.dense if part != "head"], changed)


def _with_head_activation(case: Case, activation: Any) -> Case | None:
    return _with_activations(case, ("head",), activation)


@in_dense("head", "head-activation-ignored", "without the activation of the head", "logits taken for the output")
def _(case: Case, parts: Collection[str]) -> Case | None:
    return _with_activations(case, parts, "linear")


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


# ---- Dense layers before the head ----


@in_dense(
    "head",
    "dense-left-out",
    "with the Dense layers left out that have as many outputs as inputs",
    "a layer forgotten when the model was written again",
    needs=hidden,
)
def _(case: Case, parts: Collection[str]) -> Case | None:
    spec = case.spec
    square = {part for part in parts if len({*spec.parts[part]["Wo"]}) == 1}
    if len(square) == len(spec.dense):
        square.discard("head")
    if not square:
        return None
    kept = [dense for part, dense in spec.dense.items() if part not in square]
    gone = tuple(f"{part}/" for part in square)
    weights = [array for name, array in case.named_weights.items() if not name.startswith(gone)]
    return Case(spec.with_dense(kept), weights=weights, calls=case.calls)


@in_case(
    "head",
    "hidden-activation-on-head",
    "with the activation of the Dense layer before it on its head, too",
    "one activation for all Dense layers",
    needs=hidden,
)
def _(case: Case) -> Case | None:
    spec = case.spec
    return _with_head_activation(case, spec.hidden[-1].activation) if spec.hidden else None


@in_case(
    "head",
    "hidden-activations-ignored",
    "without the activations of the Dense layers before its head",
    "only the last layer's activation read, or `Dense(K)` for `Dense(K, activation=...)`",
    needs=hidden,
)
def _(case: Case) -> Case | None:
    return _with_hidden_activations(case, "linear")


def _register_hidden() -> None:
    def neighbours(case: Case, a: int) -> Case | None:
        names = [*case.spec.dense]
        if a + 1 >= len(names):
            return None
        return exchanged(case, [(f"{names[a]}/", f"{names[a + 1]}/")], letters=("Wo", "bo"))

    family(
        0,
        *(
            Mistake(
                f"hidden-activation-{other}",
                f"with `{other}` on the Dense layers before its head",
                "Dense layers copied from another model",
                "head",
                partial(_with_hidden_activations, changed=other),
                needs=hidden,
            )
            for other in ("relu", "tanh", "sigmoid")
        ),
    )
    family(
        0,
        *(
            Mistake(
                f"dense-{a}-and-{a + 1}-exchanged",
                f"with the weights of the {which} of its Dense layers exchanged",
                "weights loaded by position from a list in another order",
                "head",
                partial(neighbours, a=a),
                needs=hidden,
            )
            for a, which in enumerate(("first and the second", "second and the third"))
        ),
    )


_register_hidden()


def _register_activations() -> None:
    for other in ("sigmoid", "softmax", "tanh", "relu"):

        def change(case: Case, other: str = other) -> Case | None:
            return _with_head_activation(case, other)

        in_case(
            "head",
            f"head-activation-{other}",
            f"with `{other}` on its head",
            "probabilities, where the model gives numbers as they are"
            if other.startswith("s")
            else "a head copied from another model",
        )(change)


_register_activations()


@in_recurrence(
    "head",
    "state-activated-for-head",
    "with its output activated once more before it is passed on",
    "an activation behind the layer, as in `Dense(tanh(rnn(x)))`",
)
def _(r: Recurrence) -> Recurrence | None:
    f = r.activation
    grid = np.linspace(-8, 8, 65)
    if f.turns or f.per_term or np.array_equal(f(f(grid)), f(grid)):  # relu of relu is relu
        return None
    return r.replace(cell=cell_like(r.cell, "with its output activated", _activated_again))


def _activated_again(kind: type[Cell]) -> dict[str, Any]:
    """The output is activated, and the state is not."""

    def readout(self: Any, h: Any, activation: Activation) -> Any:
        return activation(kind.readout(self, h, activation))

    return {"readout": readout}


class _HeadOverAxis(Wiring):
    """The activation of the head, where it is of a whole axis, over another one; softmax, where it is not."""

    axis: int

    def head_output(self, head: Dense, a: Any) -> Any:
        if a.ndim <= self.axis:
            raise Unmade
        f = activation("softmax") if head.activation.per_term is None else head.activation
        return swapped(f(swapped(a, self.axis)), self.axis)


@in_wiring(
    "head",
    "bo-by-sample",
    "with the bias of the head in the first sample only",
    "`bias[sample*outputs + output]` for `bias[output]`, in a buffer that is zero behind the bias",
    needs=head,
)
class _BiasBySample(Wiring):
    def head_sum(self, product: Any, bo: Any) -> Any:
        first = (np.arange(product.shape[0]) == 0).reshape(-1, *(1 for _ in product.shape[1:]))
        return product + choose(first, bo, 0.0)


@in_wiring(
    "head",
    "only-first-sample-computed",
    "with the outputs of the first sample only, and zeros for the others",
    "`return` inside the loop over the samples",
    needs=several_samples,
)
class _FirstSampleOnly(Wiring):
    shows_states = False

    def head_output(self, head: Dense, a: Any) -> Any:
        first = (np.arange(a.shape[0]) == 0).reshape(-1, *(1 for _ in a.shape[1:]))
        return choose(first, super().head_output(head, a), 0.0)


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
    "with a softmax over the steps, not the outputs, on its head",
    "the wrong axis",
    needs=head,
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
    "with a softmax over the samples, not the outputs, on its head",
    "`e / e.sum(axis=0)`, as in courses that keep the samples in columns",
    needs=head,
)
class _OverSamples(_HeadOverAxis):
    axis = 0


@in_wiring(
    "head",
    "softmax-over-everything",
    "with a softmax over all samples and outputs together on its head",
    "`np.exp(y) / np.sum(np.exp(y))`, without an axis",
    needs=several_samples,
)
class _OverEverything(Wiring):
    def head_output(self, head: Dense, a: Any) -> Any:
        f = activation("softmax") if head.activation.per_term is None else head.activation
        if a.ndim == 2:
            return reshaped(f(reshaped(a, (-1,))), a.shape)
        N, T, K = a.shape  # each step by itself
        every = swapped(f(swapped(reshaped(swapped(a, 1), (N * K, T)), 0)), 0)
        return swapped(reshaped(every, (N, K, T)), 1)
