"""How exactly an implementation computes: the round-off that its steps may show, and no more.

A :class:`Precision` is *declared* by an implementation, never guessed from its answers. Every bound of the oracle is
made of the numbers here and of nothing else, so there is no tolerance to tune.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

__all__ = ["Precision", "to_bfloat16"]

#: Relative error, in units of round-off, that an activation function may add. Measured worst cases of correct
#: runtimes: PyTorch 1.0, NumPy 1.8, XLA 4.8, LiteRT 5.0, ONNX Runtime 5.3, TensorFlow eager 5.8.
ACTIVATION_ULPS = 8.0

#: Absolute error, in units of round-off, for activations that saturate at 1: a port that computes ``tanh(a)`` as
#: ``2*sigmoid(2a) - 1`` is right to its users, though its relative error near 0 is large.
ACTIVATION_FLOOR = 4.0


#: The weights of a layer, a head and an embedding, as the notebook calls them.
LETTERS = ("Wx", "Wh", "bh", "Wo", "bo", "E")


@dataclass(frozen=True, kw_only=True)
class Precision:
    """The arithmetic of an implementation.

    Parameters
    ----------
    name : str
        What reports call it.
    unit : float
        Unit round-off of sums, products and stored results: half the distance from 1 to the next number
        (2^-24 for float32).
    operand : float
        Relative rounding of every factor *before* it is multiplied, where a runtime does that and then sums more
        exactly (TF32: 2^-11 with ``unit`` 2^-24). 0 where factors enter as they are.
    tiny : float
        Smallest normal number. Below it results may be flushed to zero unless `subnormals` is true.
    largest : float
        Largest finite number. Where the sum of absolute terms passes it, overflow may depend on the order of
        summation, and the step is left undetermined.
    subnormals : bool
        True for an implementation which promises gradual underflow. TensorFlow, XLA and most fast
        kernels flush subnormals to zero, so the default does not ask for them.
    activation_error : float
        Absolute error that the activation function may add beyond rounding: what a table or a rational approximation
        declares. See :meth:`with_activation_error`.
    radius : mapping of str to float or array
        Absolute uncertainty of single weights, by name: a letter of the notebook (``"Wx"``, ``"Wh"``, ``"bh"``,
        ``"Wo"``, ``"bo"``; ``"E"`` for an embedding), which stands for that weight of every layer, or the full name of
        one (``"layer1/Wx"``). A scalar, or an array that broadcasts to the weight's shape. This is how quantized
        weights are judged under "quantization and nothing else": see :meth:`quantized`.
    given, shown : float
        Absolute uncertainty of inputs and initial states, and of the outputs and states that are shown: half a unit of
        the last decimal of a printout. See :meth:`recorded`.
    begun : bool
        Whether calls were made before those that are judged, and not recorded: then the states that stateful layers
        begin with may be any numbers.
    """

    name: str
    unit: float
    operand: float = 0.0
    tiny: float = float(np.finfo(np.float32).tiny)
    largest: float = float(np.finfo(np.float32).max)
    subnormals: bool = False
    activation_error: float = 0.0
    radius: Mapping[str, Any] = field(default_factory=dict, hash=False)
    given: float = 0.0
    shown: float = 0.0
    begun: bool = False

    float64: ClassVar[Precision]
    float32: ClassVar[Precision]
    tf32: ClassVar[Precision]
    bfloat16: ClassVar[Precision]
    float16: ClassVar[Precision]

    @classmethod
    def of(cls, name: str | Precision) -> Precision:
        """Look a precision up by name.

        Raises
        ------
        ValueError
            If the name is unknown; the message lists the known ones.
        """
        if isinstance(name, Precision):
            return name
        try:
            return KNOWN[name]
        except (KeyError, TypeError):
            known = ", ".join(KNOWN)
            raise ValueError(f"unknown precision {name!r}: expected a Precision or one of {known}") from None

    def quantized(self, **scales: Any) -> Precision:
        """Return this arithmetic over weights that were rounded to multiples of known scales.

        Parameters
        ----------
        **scales : float or array
            The quantization step of each weight, by name as in `radius`; an array broadcasts to the weight's shape, so
            a per-channel scale of ``Wx (D, M)`` has shape ``(M,)``. A weight rounded to the nearest multiple of ``s``
            moves by at most ``s/2``: that is the radius that enters the bound, times ``1 + 2^-20`` for the rounding of
            the quantizer's own division.

        Raises
        ------
        ValueError
            If there is no weight of that name.
        """
        unknown = sorted(name for name in scales if name.rpartition("/")[2] not in LETTERS)
        if unknown:
            raise ValueError(
                f"there are no weights {', '.join(unknown)}: expected {', '.join(LETTERS)}, or one of a layer, such as "
                "layer0/Wx"
            )
        radius = {name: np.asarray(scale, dtype=np.float64) * (0.5 * (1 + 2.0**-20)) for name, scale in scales.items()}
        return replace(self, name=f"{self.name}, quantized weights", radius={**self.radius, **radius})

    def recorded(
        self,
        decimals: int | None = None,
        *,
        inputs: int | None = None,
        weights: int | None = None,
        outputs: int | None = None,
    ) -> Precision:
        """Return this arithmetic, of which the numbers are known as they were printed: rounded to some decimals.

        Parameters
        ----------
        decimals : int, optional
            Of inputs, weights and outputs alike.
        inputs, weights, outputs : int, optional
            Of each of them, where they differ; those that are not said, and have no `decimals`, are exact. Initial
            states are inputs, and states are outputs.

        Raises
        ------
        ValueError
            If a number of decimals is none.
        """
        told = {"inputs": inputs, "weights": weights, "outputs": outputs}
        places = {what: decimals if own is None else own for what, own in told.items()}
        for what, own in places.items():
            if own is not None and (isinstance(own, bool) or not isinstance(own, int) or not 0 <= own <= 20):
                raise ValueError(f"decimals of {what} must be a whole number from 0 to 20, not {own!r}")
        # a little more than half a unit, as printf may round a tie either way after a rounding of its own
        half = {what: 0.0 if own is None else 0.5 * 10.0**-own * (1 + 2.0**-10) for what, own in places.items()}
        radius = dict.fromkeys(LETTERS, half["weights"]) if half["weights"] else {}
        said = ", ".join(f"{what} to {own} decimals" for what, own in places.items() if own is not None)
        return replace(
            self,
            name=f"{self.name}, {said}" if said else self.name,
            # what was printed is read as a number of the case's own, which is rounded once more
            operand=max(self.operand, self.unit) if half["inputs"] or half["weights"] else self.operand,
            radius={**self.radius, **radius},
            given=half["inputs"],
            shown=half["outputs"],
        )

    @property
    def coarseness(self) -> float:
        """How coarse numbers are that were recorded; 0 where they are exact."""
        weights = [float(np.max(r)) for r in self.radius.values()] if self.given or self.shown else []
        return max(self.given, self.shown, *weights, 0.0)

    def weight_radius(self, name: str, shape: tuple[int, ...]) -> Any:
        """Return how far a weight may be from the case's own: an array of its shape, or 0 for one that is exact.

        Without a name, how far the inputs may be.

        Raises
        ------
        ValueError
            If what was declared does not fit that shape; the message says for which weight.
        """
        if not name:  # the inputs
            return np.full(shape, self.given) if self.given else 0.0
        for known in (name, name.rpartition("/")[2]) if self.radius else ():
            if known in self.radius:
                declared = np.asarray(self.radius[known], np.float64)
                try:
                    return np.broadcast_to(declared, shape)
                except ValueError:
                    raise ValueError(
                        f"the scales that are declared for {known} have shape {declared.shape}, and {name} has shape "
                        f"{shape}: declare those of each layer, by names such as layer0/Wx"
                    ) from None
        return 0.0

    @property
    def keeps_identity(self) -> bool:
        """Whether an identity matrix is kept as it is in the place of ``Wo``: on a grid of which 1 is a multiple."""
        if "Wo" not in self.radius:  # asked for every case
            return True
        step = 2 * np.asarray(self.radius["Wo"]) / (1 + 2.0**-20)
        with np.errstate(divide="ignore"):
            steps = np.where(step > 0, 1 / step, 1.0)
        return bool((np.abs(steps - np.round(steps)) < 1e-6 * steps).all() and (step <= 1).all())

    def with_activation_error(self, error: float) -> Precision:
        """Return this arithmetic with an activation function that may be off by `error` (absolute) beyond rounding."""
        if not error >= 0:
            raise ValueError(f"an activation error must be a number of at least 0, not {error!r}")
        return replace(self, name=f"{self.name}, activation within {error:g}", activation_error=float(error))

    def gamma(self, terms: int) -> float:
        """Bound on the relative error of a sum of `terms` rounded products, in any order of summation.

        ``gamma_n = n u / (1 - n u)``: Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., lemma 3.1 and
        section 3.1. The oracle's own float64 arithmetic is counted in, so that float64 ports are judged fairly.
        """
        nu = terms * (self.unit + 2.0**-53)
        return nu / (1 - nu) if nu < 1 else float("inf")


def _ieee(name: str, bits: int, kind: Any) -> Precision:
    return Precision(name=name, unit=2.0**-bits, tiny=float(np.finfo(kind).tiny), largest=float(np.finfo(kind).max))


Precision.float64 = _ieee("float64", 53, np.float64)
Precision.float32 = _ieee("float32", 24, np.float32)
Precision.float16 = _ieee("float16", 11, np.float16)
#: Products of factors rounded to 11 bits, summed in float32: what NVIDIA's tensor cores do with "float32" by default.
Precision.tf32 = replace(Precision.float32, name="tf32", operand=2.0**-11)
#: bfloat16 has float32's range with 8 bits: factors, sums and states alike.
Precision.bfloat16 = replace(Precision.float32, name="bfloat16", unit=2.0**-8)

KNOWN: dict[str, Precision] = {
    p.name: p for p in (Precision.float32, Precision.float64, Precision.tf32, Precision.bfloat16, Precision.float16)
}


def to_bfloat16(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Round to bfloat16 (8 bits), ties to even; NaN and infinities stay."""
    bits = np.asarray(a, np.float32).view(np.uint32)
    rounded = bits + (0x7FFF + ((bits >> 16) & 1)).astype(np.uint32)
    result = (rounded & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isfinite(a), result, a).astype(a.dtype)
