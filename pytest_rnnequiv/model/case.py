"""One example, whole: a spec, weights and inputs. Everything that is needed to run once, and to run again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import ACTIVATIONS
from ..cells.simple_rnn import CellWeights
from .spec import WEIGHT_NAMES, Spec

__all__ = ["Case"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A spec with numbers in it.

    Parameters
    ----------
    spec : Spec
    x : (N, T, D) array
        Inputs.
    Wx, Wh, bh, Wo, bo : arrays of shape (D, M), (M, M), (M,), (M, K), (K,)
        Weights, in Keras's layout.
    h0 : (N, M) array, optional
        State before the first step; zeros where it is left out.
    mask : (N, T) bool array, optional
        False holds the state at that step.

    All numbers are stored in the spec's dtype, read-only, so that everybody computes with the same ones and a port
    that writes into its inputs is found out.

    Raises
    ------
    ValueError
        If a shape does not fit the spec, or N or T is 0.
    """

    spec: Spec
    x: Array
    Wx: Array
    Wh: Array
    bh: Array
    Wo: Array
    bo: Array
    h0: Array | None = None
    mask: Array | None = None

    def __post_init__(self) -> None:
        x = self._store("x", self.x)
        if x.ndim != 3 or x.shape[2] != self.spec.D:
            raise ValueError(f"x has shape {x.shape}, expected (N, T, D) with D = {self.spec.D}")
        if 0 in x.shape:
            raise ValueError(f"x has shape {x.shape}: a case needs at least one sample and one step")
        shapes: dict[str, tuple[int, ...]] = dict(self.spec.weight_shapes)
        if self.h0 is not None:
            shapes["h0"] = (self.N, self.spec.M)
        for name, shape in shapes.items():
            got = self._store(name, getattr(self, name)).shape
            if got != shape:
                raise ValueError(f"{name} has shape {got}, expected {shape} for {self.spec}")
        if self.mask is not None:
            mask = self._store("mask", self.mask, bool)
            if mask.shape != (self.N, self.T):
                raise ValueError(f"mask has shape {mask.shape}, expected (N, T) = {(self.N, self.T)}")

    def _store(self, name: str, value: Any, dtype: Any = None) -> Array:
        try:
            array = np.array(value, dtype=dtype or self.spec.dtype, order="C")
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} is no array of numbers: {error}") from None
        array.flags.writeable = False
        object.__setattr__(self, name, array)
        return array

    @property
    def N(self) -> int:
        """Samples."""
        return int(self.x.shape[0])

    @property
    def T(self) -> int:
        """Time steps."""
        return int(self.x.shape[1])

    @property
    def D(self) -> int:
        """Input features."""
        return self.spec.D

    @property
    def M(self) -> int:
        """Hidden units."""
        return self.spec.M

    @property
    def K(self) -> int:
        """Outputs."""
        return self.spec.K

    @property
    def weights(self) -> tuple[Array, Array, Array, Array, Array]:
        """``(Wx, Wh, bh, Wo, bo)``, the order of ``model.get_weights()``."""
        return self.Wx, self.Wh, self.bh, self.Wo, self.bo

    @property
    def cell_weights(self) -> CellWeights:
        """The weights that a step uses."""
        return CellWeights(self.Wx, self.Wh, self.bh)

    def replace(self, **changes: Any) -> Case:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def __reduce__(self) -> Any:
        # Through the constructor, so that the arrays are read-only on the other side as well.
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def writable(self) -> Case:
        """Return a copy whose arrays may be written to: what ports are handed, since some buffers insist on it."""
        copy = self.replace()
        for name in self.__dataclass_fields__:
            if isinstance(array := getattr(copy, name), np.ndarray):
                array.flags.writeable = True
        return copy

    def numbers(self) -> dict[str, Array]:
        """Return all arrays by name, without those that are left out."""
        arrays = {name: getattr(self, name) for name in ("x", *WEIGHT_NAMES, "h0", "mask")}
        return {name: array for name, array in arrays.items() if array is not None}

    def prefix(self, t: int) -> Case:
        """Return the first `t` steps as a case of their own."""
        return self.replace(x=self.x[:, :t], mask=None if self.mask is None else self.mask[:, :t])

    def with_identity_head(self) -> Case:
        """Return the case with ``K = M, Wo = I, bo = 0``, whose output *is* its state (exactly, in any precision)."""
        M = self.spec.M
        return self.replace(spec=self.spec.replace(K=M, head_activation="linear"), Wo=np.eye(M), bo=np.zeros(M))

    def with_units_for_outputs(self, first: int) -> Case:
        """Return the case with as many outputs, which are its units from `first` on; past the last unit, zeros."""
        M, K = self.spec.M, self.spec.K
        return self.replace(spec=self.spec.replace(head_activation="linear"), Wo=np.eye(M, K, -first), bo=np.zeros(K))

    def fingerprint(self) -> bytes:
        """Return the spec and all numbers, bit by bit, as a key."""
        arrays = b"".join(array.tobytes() for array in self.numbers().values())
        return repr((self.spec, self.N, self.T, list(self.numbers()))).encode() + arrays

    # ---- keeping and showing ----

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the case to one ``.npz`` file that :meth:`load` and plain ``numpy.load`` read.

        Raises
        ------
        ValueError
            If the spec has an activation or a cell of the user's own, which a file cannot hold.
        """
        spec = self.spec
        for a in (spec.activation, spec.head_activation):
            if ACTIVATIONS.get(a.name) != a:
                raise ValueError(f"a case with the activation {a.name!r} cannot be saved: it is not one by name")
        if spec.cell.name != "SimpleRNN":
            raise ValueError(f"a case with the cell {spec.cell!r} cannot be saved")
        header = {
            "format": 1,
            "cell": spec.cell.name,
            "D": spec.D,
            "M": spec.M,
            "K": spec.K,
            "activation": spec.activation.name,
            "head_activation": spec.head_activation.name,
            "dtype": spec.dtype,
        }
        with open(file, "wb") as stream:  # savez would add a suffix to a name without one
            np.savez(stream, allow_pickle=False, spec=np.array(json.dumps(header)), **self.numbers())

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Case:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file is no ``.npz`` of a case; the message says what is missing.
        FileNotFoundError
            If there is no such file.
        """
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{os.fspath(file)} is no .npz file of a case: {error}") from error
        missing = {"spec", "x", *WEIGHT_NAMES} - arrays.keys()
        if missing:
            raise ValueError(f"{os.fspath(file)} is no case: it lacks {', '.join(sorted(missing))}")
        try:
            header = dict(json.loads(str(arrays.pop("spec"))))
            if header.pop("format", None) != 1:
                raise ValueError("it was written by a newer version of pytest-rnnequiv")
            header.pop("cell", None)
            known = {name: arrays[name] for name in ("x", *WEIGHT_NAMES, "h0", "mask") if name in arrays}
            return cls(Spec(**header), **known)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(file)} is no case: {error}") from error

    def __repr__(self) -> str:
        extra = "".join(f", {name}" for name in ("h0", "mask") if getattr(self, name) is not None)
        return f"<case {self.spec}, N={self.N}, T={self.T}{extra}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # How Hypothesis prints an example; the numbers are in the script of the failure.
        printer.text(repr(self))
