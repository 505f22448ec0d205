"""Is it still the same RNN, and if not, what did I get wrong?

The public names are loaded on first use: importing this package imports nothing heavy, since pytest does so at
every start, wanted or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import strategies as strategies
    from .arithmetic.precision import Precision as Precision
    from .failures.assertion import EquivalenceError as EquivalenceError
    from .failures.assertion import assert_equivalent as assert_equivalent
    from .implementations.port import Declined as Declined
    from .implementations.port import Supports as Supports
    from .judging.oracle import judge as judge
    from .judging.verdict import Verdict as Verdict
    from .mistakes.diagnosis import Diagnosis as Diagnosis
    from .mistakes.diagnosis import diagnose as diagnose
    from .model.case import Case as Case
    from .model.forward import reference as reference
    from .model.network import Bidirectional as Bidirectional
    from .model.network import Head as Head
    from .model.network import Layer as Layer
    from .model.network import Network as Network
    from .model.network_case import Call as Call
    from .model.network_case import NetworkCase as NetworkCase
    from .model.spec import Spec as Spec
    from .model.spec import param_count as param_count
    from .model.trajectory import NetworkTrajectory as NetworkTrajectory
    from .model.trajectory import ShownCall as ShownCall
    from .model.trajectory import ShownLayer as ShownLayer
    from .model.trajectory import Trajectory as Trajectory
    from .suite.equivalence import EquivalenceSuite as EquivalenceSuite

__version__ = "0.1.0"

_HOMES = {
    "Bidirectional": "model.network",
    "Call": "model.network_case",
    "Case": "model.case",
    "Declined": "implementations.port",
    "Diagnosis": "mistakes.diagnosis",
    "EquivalenceError": "failures.assertion",
    "EquivalenceSuite": "suite.equivalence",
    "Head": "model.network",
    "Layer": "model.network",
    "Network": "model.network",
    "NetworkCase": "model.network_case",
    "NetworkTrajectory": "model.trajectory",
    "Precision": "arithmetic.precision",
    "ShownCall": "model.trajectory",
    "ShownLayer": "model.trajectory",
    "Spec": "model.spec",
    "Supports": "implementations.port",
    "Trajectory": "model.trajectory",
    "Verdict": "judging.verdict",
    "assert_equivalent": "failures.assertion",
    "diagnose": "mistakes.diagnosis",
    "judge": "judging.oracle",
    "param_count": "model.spec",
    "reference": "model.forward",
}

__all__ = [*_HOMES, "strategies"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "strategies":
        return import_module(".strategies", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
