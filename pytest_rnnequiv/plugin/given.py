"""The model and the inputs that a run is about, where the options name files of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files import Model, read_model
from pytest_rnnequiv.implementations.files.recorded import recorded_cases
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.plugin.settings import Settings

__all__ = ["Given", "give", "read_given"]


@dataclass(frozen=True)
class Given:
    """What a run is about."""

    model: Model | None
    inputs: Path | None
    named: str = ""

    def __str__(self) -> str:
        said = [] if self.model is None else [f"the model {self.named}: {self.model[0]}"]
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
        model = None if chosen.model is None else read_model(chosen.model, chosen.part)
        if chosen.inputs is not None and model is not None:
            recorded_cases(chosen.inputs, *model)
    except ImplementationError as error:
        raise pytest.UsageError(str(error)) from None
    part = "" if chosen.part == "whole" else f" (part {chosen.part})"
    return Given(model, chosen.inputs, "" if chosen.model is None else chosen.model.name + part)


def give(port: Port, given: Given) -> str:
    """Have a port asked about the model and the inputs that are given.

    Returns
    -------
    str
        Why it cannot be; empty if it can.
    """
    if given.model is not None and (problem := port.keep_to_model(given.model)):
        return problem
    if given.inputs is None:
        return ""
    if port.fixed is None:
        return f"--rnn-equiv-inputs are inputs of one model: give --rnn-equiv-model FILE, or a model to {port.name}"
    try:
        port.recorded = recorded_cases(given.inputs, *port.fixed)
    except ImplementationError as error:
        return str(error)
    return ""
