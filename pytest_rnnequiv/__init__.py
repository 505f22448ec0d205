"""Is it still the same RNN, and if not, what did I get wrong?

The public names are loaded on first use: importing this package imports nothing heavy, since pytest does so at
every start, wanted or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import strategies as strategies
    from .arithmetic.formats import Fixed as Fixed
    from .arithmetic.formats import Floating as Floating
    from .arithmetic.formats import Scaled as Scaled
    from .arithmetic.precision import Precision as Precision
    from .failures.assertion import EquivalenceError as EquivalenceError
    from .failures.assertion import assert_equivalent as assert_equivalent
    from .implementations.command import Command as Command
    from .implementations.errors import Declined as Declined
    from .implementations.files import read_model as read_model
    from .implementations.supports import Supports as Supports
    from .judging.oracle import judge as judge
    from .judging.verdict import Verdict as Verdict
    from .mistakes.diagnosis import Diagnosis as Diagnosis
    from .mistakes.diagnosis import diagnose as diagnose
    from .model import layouts as layouts
    from .model.call import Call as Call
    from .model.case import Case as Case
    from .model.forward import reference as reference
    from .model.layers import GRU as GRU
    from .model.layers import LSTM as LSTM
    from .model.layers import RNN as RNN
    from .model.layers import Bidirectional as Bidirectional
    from .model.layers import Dense as Dense
    from .model.layers import SimpleRNN as SimpleRNN
    from .model.sizes import param_count as param_count
    from .model.spec import Spec as Spec
    from .model.trajectory import ShownLayer as ShownLayer
    from .model.trajectory import Trajectory as Trajectory
    from .suite.equivalence import EquivalenceSuite as EquivalenceSuite

__version__ = "0.2.0"

_HOMES = {
    "Bidirectional": "model.layers",
    "Call": "model.call",
    "Case": "model.case",
    "Command": "implementations.command",
    "Declined": "implementations.errors",
    "Dense": "model.layers",
    "Diagnosis": "mistakes.diagnosis",
    "EquivalenceError": "failures.assertion",
    "EquivalenceSuite": "suite.equivalence",
    "Fixed": "arithmetic.formats",
    "Floating": "arithmetic.formats",
    "Precision": "arithmetic.precision",
    "Scaled": "arithmetic.formats",
    "GRU": "model.layers",
    "LSTM": "model.layers",
    "RNN": "model.layers",
    "ShownLayer": "model.trajectory",
    "SimpleRNN": "model.layers",
    "Spec": "model.spec",
    "Supports": "implementations.supports",
    "Trajectory": "model.trajectory",
    "Verdict": "judging.verdict",
    "assert_equivalent": "failures.assertion",
    "diagnose": "mistakes.diagnosis",
    "judge": "judging.oracle",
    "param_count": "model.sizes",
    "read_model": "implementations.files",
    "reference": "model.forward",
}

#: Modules that are public as a whole.
_MODULES = {"layouts": "model.layouts", "strategies": "strategies"}

__all__ = [*_HOMES, "layouts", "strategies"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
