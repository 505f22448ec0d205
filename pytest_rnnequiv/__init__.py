"""Is it still the same RNN, and if not, what did I get wrong?

The public names are loaded on first use: importing this package imports nothing heavy, since pytest does so at
every start, wanted or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import strategies as strategies
    from .assertion import EquivalenceError as EquivalenceError
    from .assertion import assert_equivalent as assert_equivalent
    from .case import Case as Case
    from .diagnosis import Diagnosis as Diagnosis
    from .diagnosis import diagnose as diagnose
    from .implementations.port import Declined as Declined
    from .implementations.port import Supports as Supports
    from .network import Bidirectional as Bidirectional
    from .network import Head as Head
    from .network import Layer as Layer
    from .network import Network as Network
    from .network_case import Call as Call
    from .network_case import NetworkCase as NetworkCase
    from .oracle import judge as judge
    from .precision import Precision as Precision
    from .recurrence import reference as reference
    from .spec import Spec as Spec
    from .spec import param_count as param_count
    from .suite.equivalence import EquivalenceSuite as EquivalenceSuite
    from .trajectory import NetworkTrajectory as NetworkTrajectory
    from .trajectory import ShownCall as ShownCall
    from .trajectory import ShownLayer as ShownLayer
    from .trajectory import Trajectory as Trajectory
    from .verdict import Verdict as Verdict

__version__ = "0.1.0"

_HOMES = {
    "Bidirectional": "network",
    "Call": "network_case",
    "Case": "case",
    "Declined": "implementations.port",
    "Diagnosis": "diagnosis",
    "EquivalenceError": "assertion",
    "EquivalenceSuite": "suite.equivalence",
    "Head": "network",
    "Layer": "network",
    "Network": "network",
    "NetworkCase": "network_case",
    "NetworkTrajectory": "trajectory",
    "Precision": "precision",
    "ShownCall": "trajectory",
    "ShownLayer": "trajectory",
    "Spec": "spec",
    "Supports": "implementations.port",
    "Trajectory": "trajectory",
    "Verdict": "verdict",
    "assert_equivalent": "assertion",
    "diagnose": "diagnosis",
    "judge": "oracle",
    "param_count": "spec",
    "reference": "recurrence",
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
