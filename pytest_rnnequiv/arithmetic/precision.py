"""How exactly an implementation computes: the round-off that its steps may show, and no more.

A :class:`Precision` is *declared* by an implementation, never guessed from its answers. Every bound of the oracle is
made of the numbers here and of nothing else, so there is no tolerance to tune.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .formats import Fixed, Floating, Format, Rounded, Scaled
from .tables import try_table
from .ties import Ties

__all__ = ["Precision"]

#: The weights of a layer, a head and an embedding, as the notebook calls them.
LETTERS = ("Wx", "Wh", "bh", "Wp", "Wr", "Wo", "bo", "E")

#: Those of them that are factors of products, and so what most quantizers quantize.
KERNELS = ("Wx", "Wh", "Wo")

#: What else has a format, see :meth:`Precision.rounded`.
ROLES = ("weights", "inputs", "factors", "accumulator", "sums", "activations", "states", "outputs")


def _fitted(declared: Any, shape: tuple[int, ...], known: str, name: str) -> npt.NDArray[Any]:
    """Broadcast what is declared for a weight to its shape."""
    try:
        return np.broadcast_to(declared, shape)
    except ValueError:
        raise ValueError(
            f"the scales that are declared for {known} have shape {np.shape(declared)}, and {name or known} has shape "
            f"{shape}: declare those of each layer, by names such as layer0/Wx"
        ) from None


def _is_weight(name: str) -> bool:
    return name.rpartition("/")[2] in LETTERS


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
        one (``"layer1/Wx"``). A scalar, or an array that broadcasts to the weight's shape. For weights that are known
        as they were printed: see :meth:`recorded`. Those that are rounded in a known way have a format.
    formats : mapping of str to Format
        To what weights, and what is computed, are rounded, by the names of :meth:`rounded`.
    tables : mapping of str to callable
        The functions that stand in the place of activations, by their names: see :meth:`with_table`.
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
    formats: Mapping[str, Format] = field(default_factory=dict, hash=False)
    tables: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict, hash=False)
    begun: bool = False
    #: What decides between the outcomes of a rounding, while a run is followed.
    ties: Ties | None = field(default=None, compare=False, repr=False)

    float64: ClassVar[Precision]
    float32: ClassVar[Precision]
    tf32: ClassVar[Precision]
    bfloat16: ClassVar[Precision]
    float16: ClassVar[Precision]
    float16_accumulated_in_float32: ClassVar[Precision]
    bfloat16_accumulated_in_float32: ClassVar[Precision]
    fp8_e4m3: ClassVar[Precision]
    fp8_e5m2: ClassVar[Precision]
    q15: ClassVar[Precision]
    q7: ClassVar[Precision]

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
        """Return this arithmetic over weights that were rounded to the nearest multiples of known scales.

        Parameters
        ----------
        **scales : float or array
            The quantization step of each weight, by name as in `radius`; an array broadcasts to the weight's shape, so
            a per-channel scale of ``Wx (D, M)`` has shape ``(M,)``. The rounded weights are computed. There is a
            radius only where a weight lies so near the middle of two multiples that the quantizer's own division
            decides.

        Raises
        ------
        ValueError
            If there is no weight of that name.
        """
        unknown = sorted(name for name in scales if not _is_weight(name))
        if unknown:
            raise ValueError(
                f"there are no weights {', '.join(unknown)}: expected {', '.join(LETTERS)}, or one of a layer, such as "
                "layer0/Wx"
            )
        formats = {name: Scaled(scale, bits=None) for name, scale in scales.items()}
        return replace(self.rounded(**formats), name=f"{self.name}, quantized weights")

    def rounded(self, **formats: Format | None) -> Precision:
        """Return this arithmetic with numbers that are rounded to formats, in declared ways.

        Such roundings are computed: a port that shows its states is then judged as sharply as one in float32.

        Parameters
        ----------
        **formats : Format or None
            By name, each a :class:`~.formats.Fixed`, :class:`~.formats.Floating` or :class:`~.formats.Scaled`, or None
            to take one away:

            - a weight (``Wx``, ``Wh``, ``bh``, ``Wo``, ``bo``, ``E``, or one of a layer, ``**{"layer1/Wx": ...}``), or
              ``weights`` for all others;
            - ``inputs``;
            - ``factors``: whatever is multiplied with a rounded weight, before it is (dynamic quantization);
            - ``accumulator``: a :class:`~.formats.Fixed` in which products are rounded and summed. It is exact where
              nothing is lost in it;
            - ``sums``: what becomes of a finished sum before it goes into an activation or a product; the cell state of
              an LSTM is such a sum;
            - ``activations``: values of activations, those of gates among them;
            - ``states``: what is kept of a state, and shown; the initial one, too;
            - ``outputs``: of the head.

            A linear activation is no rounding of its own: its sum goes to the state, or to the outputs, at once.

        Raises
        ------
        ValueError
            If nothing has that name, or the accumulator is not in fixed point.
        """
        for name, each in formats.items():
            if name not in ROLES and not _is_weight(name):
                raise ValueError(
                    f"nothing that is rounded is called {name!r}: expected {', '.join(ROLES)}, or a weight "
                    f"({', '.join(LETTERS)}, or one of a layer, such as layer0/Wx)"
                )
            if each is not None and not isinstance(each, Format):
                raise ValueError(f"{name} must have a format, such as Fixed(0, 15), not {each!r}")
        if not isinstance(formats.get("accumulator"), (Fixed, type(None))):
            raise ValueError("an accumulator must be Fixed: sums of floats are bounded by the unit round-off")
        whole = {name: each for name, each in {**self.formats, **formats}.items() if each is not None}
        said = ", ".join(f"{name} in {each}" for name, each in formats.items() if each is not None)
        return replace(self, name=f"{self.name}, {said}" if said else self.name, formats=whole)

    def named(self, name: str) -> Precision:
        """Return the same under another name."""
        return replace(self, name=name)

    @classmethod
    def int8_weights(cls, scales: Mapping[str, Any] | None = None, *, per: str = "channel", bits: int = 8) -> Precision:
        """Float32 over kernels that were rounded to int8; biases stay.

        Parameters
        ----------
        scales : mapping of str to float or array, optional
            The scale of each weight, by letter or full name. Without them, they are made of the weights: ``max|w| /
            127``, symmetric.
        per : {"channel", "tensor"}
            Whether there is one for each output unit (each column), or one for all.
        bits : int
        """
        if scales is None:
            own = Scaled(bits=bits, per=per)
            return cls.float32.rounded(**dict.fromkeys(KERNELS, own)).named(f"int{bits} weights")
        formats = {name: Scaled(scale, bits=bits) for name, scale in scales.items()}
        return cls.float32.rounded(**formats).named(f"int{bits} weights")

    @classmethod
    def dynamic_range_int8(cls, *, at_least: int = 1024, per: str = "row", weights: str = "channel") -> Precision:
        """Return what hybrid kernels do: int8 kernels, and factors that are rounded anew at each step.

        By default as LiteRT's do: kernels symmetric, for each output unit; inputs and states asymmetric, for each row
        and time step, over a range that holds 0; products in int32, exactly; all else in float32.

        Parameters
        ----------
        at_least : int
            Kernels with fewer numbers stay in float32, and so does what they are multiplied with.
        per : {"row", "tensor", "sequence"}
            Whether a scale of inputs and states is made for each row, for all rows of a time step, or of inputs for
            the whole sequence.
        weights : {"channel", "tensor"}
        """
        kernels = Scaled(per=weights, at_least=at_least)
        factors = Scaled(per=per, symmetric=False)
        return cls.float32.rounded(**dict.fromkeys(KERNELS, kernels), factors=factors).named("dynamic range int8")

    @classmethod
    def full_int8(
        cls,
        inputs: Scaled,
        states: Scaled,
        *,
        weights: Mapping[str, Any] | str = "channel",
        biases: Format | None = None,
        sums: Format | None = None,
        outputs: Scaled | None = None,
    ) -> Precision:
        """Integers throughout: what is multiplied is int8 on known scales, and summed in int32, exactly.

        Parameters
        ----------
        inputs, states : Scaled
            With the scales and zero points that calibration found, such as ``Scaled(1 / 127, zero_point=3)``. `states`
            is also the format of the activations' values, gates among them.
        weights : mapping of str to float or array, or {"channel", "tensor"}
            The scale of each kernel, by letter or full name; or over what it is made: ``max|w| / 127``, symmetric.
        biases : Format, optional
            By default they are added as they are: in int32 they mostly stand on a far finer scale than the sums.
        sums : Format, optional
            To what a finished sum is rescaled before its activation: ``Fixed(3, 12)`` for the int16 that tables take.
        outputs : Scaled, optional
            By default the sums of the head are used as they are.
        """
        if isinstance(weights, str):
            kernels: dict[str, Format] = dict.fromkeys(KERNELS, Scaled(per=weights))
        else:
            kernels = {name: Scaled(scale) for name, scale in weights.items()}
        formats = {"inputs": inputs, "activations": states, "states": states, "sums": sums, "outputs": outputs}
        return cls.float32.rounded(**kernels, bh=biases, bo=biases, **formats).named("full int8")

    @classmethod
    def fixed_point(
        cls,
        weights: Fixed,
        states: Fixed,
        *,
        inputs: Fixed | None = None,
        sums: Fixed | None = None,
        accumulator: Fixed | None = None,
        outputs: Fixed | None = None,
    ) -> Precision:
        """Fixed point throughout: exact products, and rounding where it is said.

        Parameters
        ----------
        weights, states : Fixed
            `states` is also the format of the activations' values, gates among them.
        inputs : Fixed, optional
            By default that of the weights.
        sums, outputs : Fixed, optional
            By default sums are used as they come out of the accumulator.
        accumulator : Fixed, optional
            By default 64 bits, in which nothing is lost: with as many bits behind the point as products have.
        """
        inputs = weights if inputs is None else inputs
        if accumulator is None:
            behind = max(weights.fraction, states.fraction) + max(inputs.fraction, states.fraction)
            accumulator = Fixed(63 - behind, behind, overflow="wrap")
        return replace(
            cls.float64.rounded(
                weights=weights, inputs=inputs, accumulator=accumulator, sums=sums, activations=states, states=states,
                outputs=outputs,
            ),
            name=f"fixed point, weights in {weights}, states in {states}",
        )  # fmt: skip

    @classmethod
    def ap_fixed(cls, bits: int, integer: int, *, rounding: str = "floor", overflow: str = "wrap") -> Precision:
        """Everything in ``ap_fixed<bits, integer>``, as hls4ml has it by default: each product, each sum, each value.

        Parameters
        ----------
        bits, integer : int
            All bits, and those before the point with the sign: ``ap_fixed(16, 7)`` has multiples of 2^-9 in [-64, 64).
        rounding, overflow : str
            ``AP_TRN`` and ``AP_WRAP`` by default; ``AP_RND`` is "nearest-up", ``AP_SAT`` "saturate".
        """
        own = Fixed(integer - 1, bits - integer, rounding, overflow)
        p = cls.fixed_point(own, own, sums=own, accumulator=own, outputs=own)
        return p.named(f"ap_fixed<{bits}, {integer}>")

    def with_table(self, within: float, **tables: Callable[[Any], Any]) -> Precision:
        """Return this arithmetic with functions of its own in the place of activations: tables, rational functions.

        What is declared so is computed, so that there is no room for anything else.

        Parameters
        ----------
        within : float
            How far a table may be from its function. It is tried.
        **tables : callable
            By the activation's name: from an array of arguments to what the port makes of them. It must never fall
            where its arguments rise; apart from that it may do anything.

        Raises
        ------
        ValueError
            If a table falls somewhere, or is further from its function than that.
        """
        for name, table in tables.items():
            try_table(name, table, within)
        said = f"{self.name}, tables of {', '.join(tables)}"
        return replace(self, name=said, tables={**self.tables, **tables})

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

    @property
    def grain(self) -> float:
        """How coarsely what is computed is rounded, beside 1; weights that are rounded are known numbers."""
        return max((each.grain for name, each in self.formats.items() if name in ROLES[1:]), default=0.0)

    def of_rounded_weights(self) -> Precision | None:
        """Return the same arithmetic on weights that were rounded on scales before; None if no weight is."""
        kinds = {name: each for name, each in self.formats.items() if _is_weight(name) or name == "weights"}
        scaled: dict[str, Format] = {name: Rounded(each) for name, each in kinds.items() if isinstance(each, Scaled)}
        return replace(self, formats={**self.formats, **scaled}) if scaled else None

    @property
    def in_integers(self) -> bool:
        """Whether inputs or states are made integers, of which none is NaN."""
        kinds = (self.formats.get(name) for name in ROLES[1:])
        return any(each is not None and each.integers for each in kinds)

    @property
    def joins_samples(self) -> bool:
        """Whether samples are rounded on one scale, so that each depends on the others of its batch."""
        kinds = (self.formats.get(name) for name in ROLES[1:])
        return any(isinstance(each, Scaled) and each.scale is None and each.per != "row" for each in kinds)

    @property
    def quantizer(self) -> float:
        """Relative rounding of a quantizer that divides by scales: in float32, or coarser if all else is."""
        return max(self.unit, 2.0**-24)

    def weight_format(self, name: str, shape: tuple[int, ...]) -> Format | None:
        """Return the format of a weight, or of the inputs (without a name); None for one that is not rounded.

        Raises
        ------
        ValueError
            If declared scales do not fit its shape; the message says for which weight.
        """
        if not self.formats:
            return None
        names = (name, name.rpartition("/")[2], "weights") if name else ("inputs",)
        known = next((each for each in names if each in self.formats), "")
        found = self.formats.get(known)
        if isinstance(found, Scaled) and found.scale is not None:
            _fitted(found.scale, shape, known, name)
        return found if found is not None and found.applies(int(np.prod(shape))) else None

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
                return _fitted(np.asarray(self.radius[known], np.float64), shape, known, name)
        return 0.0

    @property
    def keeps_identity(self) -> bool:
        """Whether an identity matrix is kept as it is in the place of ``Wo``: on a grid of which 1 is a multiple."""
        if "Wo" in self.radius:
            return False
        if not self.formats:  # asked for every case
            return True
        head = self.formats.get("Wo", self.formats.get("weights"))
        if head is not None and not head.holds_one():
            return False
        # a state that is rounded on its way through the head is not shown
        after = [self.formats[name] for name in ("factors", "accumulator", "outputs") if name in self.formats]
        states = self.formats.get("states")
        return all(
            isinstance(each, Fixed)
            and isinstance(states, Fixed)
            and each.fraction >= states.fraction
            and each.integer >= states.integer
            for each in after
        )

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


def _in(name: str, kind: Floating) -> Precision:
    """Weights, inputs, states and outputs in 16 bits; sums, and the function of a sum, in float32."""
    return Precision.float32.rounded(weights=kind, inputs=kind, states=kind, outputs=kind).named(name)


_HALF = Floating(11, float(np.finfo(np.float16).tiny), float(np.finfo(np.float16).max))
_BRAIN = Floating(8, Precision.bfloat16.tiny, 2.0**127 * (2 - 2.0**-7))
Precision.float16_accumulated_in_float32 = _in("float16_accumulated_in_float32", _HALF)
Precision.bfloat16_accumulated_in_float32 = _in("bfloat16_accumulated_in_float32", _BRAIN)


def _in_fp8(name: str, kind: Floating) -> Precision:
    """Kernels, and what is multiplied with them, in 8 bits; all else in float32."""
    return Precision.float32.rounded(**dict.fromkeys(KERNELS, kind), factors=kind).named(name)


#: OCP 8-bit Floating Point Specification, revision 1.0, table 1. Both saturate, as conversions for inference do.
Precision.fp8_e4m3 = _in_fp8("fp8_e4m3", Floating(4, 2.0**-6, 448.0, overflow="saturate", subnormals=True))
Precision.fp8_e5m2 = _in_fp8("fp8_e5m2", Floating(3, 2.0**-14, 57344.0, overflow="saturate", subnormals=True))
Precision.q15 = Precision.fixed_point(Fixed(0, 15), Fixed(0, 15)).named("q15")
Precision.q7 = Precision.fixed_point(Fixed(0, 7), Fixed(0, 7)).named("q7")

KNOWN: dict[str, Precision] = {
    p.name: p
    for p in (
        *(Precision.float32, Precision.float64, Precision.tf32, Precision.bfloat16, Precision.float16),
        *(Precision.float16_accumulated_in_float32, Precision.bfloat16_accumulated_in_float32),
        *(Precision.fp8_e4m3, Precision.fp8_e5m2, Precision.q15, Precision.q7),
    )
}
