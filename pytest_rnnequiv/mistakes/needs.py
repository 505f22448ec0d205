"""What a case must have for a mistake to be made in it, so that most of the catalogue is passed over at no cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from ..model.case import Case
from ..model.layers import Bidirectional
from ..model.wiring import RIGHT, Wiring

__all__ = ["Need", "anywhere", "of_group", "of_wiring"]

Need = Callable[[Case], bool]


def anywhere(case: Case) -> bool:
    """Nothing."""
    return True


def several_layers(case: Case) -> bool:
    """Layers behind one another."""
    return len(case.spec.layers) > 1


def both_directions(case: Case) -> bool:
    """A layer in both directions."""
    return any(isinstance(layer, Bidirectional) for layer in case.spec.layers)


def backwards(case: Case) -> bool:
    """A layer that reads its input from the end."""
    return any(direction.go_backwards for direction in case.spec.directions)


def stacked_cells(case: Case) -> bool:
    """A layer of several cells."""
    return any(len(direction.cells) > 1 for direction in case.spec.directions)


def masked(case: Case) -> bool:
    """A mask."""
    return case.spec.masked


def several_calls(case: Case) -> bool:
    """Calls after one another."""
    return len(case.calls) > 1


def given_states(case: Case) -> bool:
    """Initial states."""
    return bool(case.calls[0].states)


def kept_states(case: Case) -> bool:
    """Layers that keep their states from call to call."""
    return case.spec.stateful and several_calls(case)


def given_or_kept_states(case: Case) -> bool:
    """States other than zeros to begin with."""
    return given_states(case) or kept_states(case)


def states_from_somewhere(case: Case) -> bool:
    """States other than zeros to begin with, or a layer that could hand some on."""
    return given_or_kept_states(case) or several_layers(case)


def shown_states(case: Case) -> bool:
    """Layers of which final states are seen."""
    return any(layer.return_state or layer.stateful for layer in case.spec.directions)


def as_many_units_as_features(case: Case) -> bool:
    """A layer whose output could be taken for its input."""
    features = [case.spec.D, *(layer.features for layer in case.spec.layers)]
    return any(a == b for a, b in pairwise(features))


def head(case: Case) -> bool:
    """A head."""
    return case.spec.head is not None


def hidden(case: Case) -> bool:
    """Dense layers before the head."""
    return bool(case.spec.hidden)


def several_samples(case: Case) -> bool:
    """A head, and more than one sample."""
    return head(case) and any(call.N > 1 for call in case.calls)


def dropout(case: Case) -> bool:
    """A layer with dropout."""
    return any(layer.dropout or layer.recurrent_dropout for layer in case.spec.directions)


#: What the mistakes of a group need; those of other groups can be made in any case.
_GROUPS: dict[str, Need] = {
    "directions": both_directions,
    "cells": stacked_cells,
    "mask": masked,
    "embedding": lambda case: case.spec.embedded,
    "calls": several_calls,
}

#: Where a rule of a wiring makes a difference; those that are not here do in any case.
_RULES: dict[str, Need] = {
    "call_order": several_calls,
    "layer_input": several_layers,
    "layer_mask": several_layers,
    "initial_states": states_from_somewhere,
    "direction_input": backwards,
    "stacked_input": stacked_cells,
    "cell_input": masked,
    "state_mask": masked,
    "held_state": masked,
    "cell_output": masked,
    "direction_output": masked,
    "merged": backwards,
    "passed_on": as_many_units_as_features,
    "final_states": shown_states,
    "dense_output": hidden,
    "head_sum": head,
    "head_output": head,
}


def of_group(group: str) -> Need:
    """What the mistakes of a group need."""
    return _GROUPS.get(group, anywhere)


def of_wiring(wiring: Wiring) -> Need:
    """A case in which one of the rules that a wiring gets wrong makes a difference."""
    if wiring is RIGHT:
        return anywhere
    needs = [_RULES.get(rule, anywhere) for rule in _wrong_rules(type(wiring))]
    return lambda case: any(need(case) for need in needs)


def _wrong_rules(kind: type[Wiring]) -> Iterator[str]:
    for rule, right in vars(Wiring).items():
        if callable(right) and not rule.startswith("__") and getattr(kind, rule) is not right:
            yield rule
