"""The line of pytest's header: what is checked, in which versions, and how much."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

from pytest_rnnequiv.implementations.registry import ALL, BUILT_IN, GROUPS, absent, expand, runs_file
from pytest_rnnequiv.plugin.settings import Settings

from .words import duration, listed

__all__ = ["header"]


def header(names: list[str], settings: Settings) -> str:
    """Return the line: the implementations by name with their versions, and what was asked for."""
    more = ", selfcheck" if settings.selfcheck else ""
    more += "" if settings.budget is None else f", budget {duration(settings.budget)}"
    more += "" if settings.shard is None else f", shard {settings.shard}"
    return f"{', '.join(map(_with_versions, names))}; profile {settings.profile}{more}{_absent(names)}"


def _absent(names: list[str]) -> str:
    """Say which runtimes are not among `all`, since they are not here, and how to have them."""
    missing = absent() if ALL in names else []
    return "".join(f"\n  left out: {runtime.name} {runtime.absence}" for runtime in missing)


def _with_versions(implementation: str) -> str:
    versions = {}
    for distribution in _distributions(implementation):
        try:
            versions[distribution] = version(distribution)
        except PackageNotFoundError:
            continue
    implementation = os.path.basename(implementation)
    return f"{implementation} ({listed(versions)})" if versions else implementation


def _distributions(implementation: str) -> list[str]:
    """Return whose versions matter: what a runtime, or a group of them, needs, or the package in which a port is."""
    named = expand([implementation]) if implementation in (ALL, *GROUPS) else [implementation]
    members = [member for name in named if (member := BUILT_IN.get(name) or runs_file(name))]
    libraries = {library for member in members for library in member.libraries}
    return sorted(libraries) or [implementation.partition(":")[0].partition(".")[0]]
