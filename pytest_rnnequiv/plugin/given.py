"""The model and the inputs that a run is about, where the options name files of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files import Model, read_model
from pytest_rnnequiv.implementations.files.recorded import recorded_cases, recorded_inputs
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.whole_file import whole_model
from pytest_rnnequiv.judging.whole import first_case
from pytest_rnnequiv.model.call import Call
from pytest_rnnequiv.model.case import Case
from pytest_rnnequiv.model.graph import Graph
from pytest_rnnequiv.plugin.settings import Settings

__all__ = ["Given", "give", "read_given"]


@dataclass(frozen=True)
class Given:
    """What a run is about.

    Attributes
    ----------
    model : (Spec, weights) or None
        Of a whole model, its recurrent layers; None where they do not follow one another.
    inputs : Path or None
    named : str
        What the model is called.
    file : str
    graph : Graph or None
        The whole model, where a spec has no place for what stands round the recurrent layers.
    """

    model: Model | None
    inputs: Path | None
    named: str = ""
    file: str = ""
    graph: Graph | None = None

    def __str__(self) -> str:
        said = []
        if self.graph is not None:
            said.append(f"the model {self.named}: {self.graph}")
            if self.model is not None:
                said.append(f"of which the recurrent layers are {self.model[0]}")
        elif self.model is not None:
            said.append(f"the model {self.named}: {self.model[0]}")
        said += [] if self.model is None else [f"{self.model[0].param_count:,} weights"]
        return ", ".join([*said, *([] if self.inputs is None else [f"inputs of {self.inputs.name}"])])


def read_given(chosen: Settings) -> Given:
    """Read the files that the options name, before anything runs.

    Raises
    ------
    pytest.UsageError
        If one of them cannot be read, or the inputs are not those of the model.
    """
    try:
        model, graph = _read(chosen)
        if chosen.inputs is not None and graph is not None:
            recorded_inputs(chosen.inputs, graph)
        elif chosen.inputs is not None and model is not None:
            recorded_cases(chosen.inputs, *model)
    except ImplementationError as error:
        raise pytest.UsageError(str(error)) from None
    part = "" if chosen.part == "whole" else f" (part {chosen.part})"
    named = "" if chosen.model is None else chosen.model.name + part
    return Given(model, chosen.inputs, named, os.fspath(chosen.model or ""), graph)


def _read(chosen: Settings) -> tuple[Model | None, Graph | None]:
    """Read the model: as one that a spec holds, or else as a whole one with its recurrent layers."""
    if chosen.model is None:
        return None, None
    try:
        return read_model(chosen.model, chosen.part), None
    except ImplementationError:
        if chosen.part != "whole":
            raise
    graph = whole_model(os.fspath(chosen.model))
    try:
        return read_model(chosen.model, "recurrent"), graph
    except ImplementationError:
        return None, graph


def give(port: Port, given: Given) -> str:
    """Have a port asked about the model and the inputs that are given.

    Returns
    -------
    str
        Why it cannot be; empty if it can.
    """
    port.made_of = given.file
    if port.whole:
        if given.inputs is not None and given.graph is not None:
            port.recorded_inputs = recorded_inputs(given.inputs, given.graph)
        return ""
    if given.graph is not None and given.model is None:
        names = [*given.graph.recurrent()]
        return (
            f"{port.name} is asked about recurrent layers that follow one another, and those of {given.named} do not: "
            f"--rnn-equiv-model-part {names[0]} asks about one of them (it has {', '.join(names)}); a model file "
            "is asked about all of it, by --rnn-equiv-impl"
        )
    if given.model is not None and (problem := port.keep_to_model(given.model)):
        return problem
    if given.inputs is None:
        return ""
    if port.fixed is None:
        return f"--rnn-equiv-inputs are inputs of one model: give --rnn-equiv-model FILE, or a model to {port.name}"
    try:
        if given.graph is None:
            port.recorded = recorded_cases(given.inputs, *port.fixed)
        else:
            port.recorded = tuple(_recurrent_cases(given.inputs, given.graph, port.fixed))
    except ImplementationError as error:
        return str(error)
    return ""


def _recurrent_cases(inputs: Path, graph: Graph, model: Model) -> list[Case]:
    """Put inputs of a whole model through the layers before the recurrent ones."""
    spec, weights = model
    found = []
    for each in recorded_inputs(inputs, graph):
        x = each[0] if spec.embedded or spec.source == "masking" else first_case(graph, each).calls[0].x
        found.append(Case(spec, weights=weights, calls=(Call(x),)))
    return found
