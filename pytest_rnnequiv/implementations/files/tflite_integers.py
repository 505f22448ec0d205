"""The arithmetic of a ``.tflite`` of an unrolled layer, as its scales and zero points declare it.

Kernels of int8 with numbers of int8 or int16 (full integer quantization, and 16x8), or with floats (dynamic range).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...arithmetic.formats import Format, Scaled
from ...arithmetic.precision import Precision
from ...arithmetic.within import Within
from ..errors import ImplementationError
from .tflite_data import Tensor
from .tflite_unrolled import Unrolled

__all__ = ["precision_of_unrolled", "says_of_unrolled"]


def precision_of_unrolled(unrolled: Unrolled) -> Precision | None:
    """Return the arithmetic that a file declares; None if it is that of floats.

    Of integers it is that of real numbers on the file's kernels, biases and inputs: how the rest is rounded is seen,
    operator by operator (:meth:`~.tflite_operators.Operators.off`), and need not be declared.

    Raises
    ------
    ImplementationError
        If something in it is rounded in a way that is not followed.
    """
    formats = dict[str, Format]()
    for letter, kernels in unrolled.kernels.items():
        if (kind := _of_kernels(kernels)) is not None:
            formats[letter] = kind
    if not formats:
        return None
    bits = {unrolled.operators.bits(product.outputs[0]) for product in unrolled.products}
    if bits == {0}:
        hybrid = (e for e in unrolled.products if unrolled.graph.tensors[e.inputs[1]].scales is not None)
        if not all(each.option(3, "<?") for each in hybrid):
            raise ImplementationError("it rounds factors symmetrically, which is not followed in an unrolled layer")
        factors = Scaled(per="row", symmetric=False)
        return Precision.float32.rounded(**formats, factors=factors).named("dynamic range int8, as its file says")
    if len(bits) > 1 or "Wx" not in formats or "Wh" not in formats:
        raise ImplementationError("some of its products are of integers, and some of floats, which is not followed")
    for each in unrolled.graph.operators:
        unrolled.operators.room(each)  # else there is one that is not known
    scale, zero, own = unrolled.input_format()
    constants = {role: Within(off) for role, off in unrolled.constants_off().items()}
    p = Precision.float32.rounded(**formats, inputs=Scaled(scale, zero, own), **constants)
    return p.named(f"int{max(bits)}, as its file says")


def says_of_unrolled(unrolled: Unrolled) -> Iterator[str]:
    """Yield what is wrong in a file by itself, whatever model it was made of."""
    ratios = [*unrolled.biases_off()]
    if ratios:
        low, high = min(r.min() for r in ratios), max(r.max() for r in ratios)
        yield (
            f"{len(ratios)} product{'s add' if len(ratios) > 1 else ' adds'} a bias whose scale is not theirs: it "
            f"counts for {low:.3g} to {high:.3g} times what it should"
        )


def _of_kernels(kernels: list[Tensor]) -> Format | None:
    """Return how kernels of one letter were rounded; None if they were not.

    One whose scales are ``max|w| / 127`` is rounded so whatever the weights are, as a converter does it.
    """
    if all(each.scales is None for each in kernels):
        return None
    found = list[tuple[str, bool]]()
    for each in kernels:
        if each.scales is None or each.numbers is None:
            raise ImplementationError("some of its kernels are int8, and some are not, which is not followed")
        per = "channel" if len(each.scales) > 1 or len(each.numbers) == 1 else "tensor"
        largest = np.abs(each.numbers).max(1) if per == "channel" else np.abs(each.numbers).max()
        found.append((per, bool(np.all((largest == 0) | (np.rint(largest / each.scales) == 127)))))
    if len({*found}) == 1 and found[0][1]:
        return Scaled(per=found[0][0])
    if len(kernels) > 1:
        raise ImplementationError("it has several kernels of one kind on scales that are not made of them")
    (one,) = kernels
    return Scaled(one.scales)
