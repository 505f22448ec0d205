"""Which steps are masked, and what masked steps hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.spec import Spec

__all__ = ["PATTERNS", "inputs_under", "known", "mask_of", "usual_pattern"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

#: Which steps are masked: none, the last ones, the first ones, any, all of some samples, all.
PATTERNS = ("none", "trailing", "leading", "scattered", "rows", "all")
_USUAL = ("none", *PATTERNS[1:5] * 3, "none", "all")

#: What masked steps hold where that must not matter, now and then.
_RUBBISH: dict[int, float] = {1: float("nan"), 2: float("inf"), 3: 1e30, 4: -7.7, 5: 0.0}
_RUBBISH_OF = 12


def known(pattern: Any) -> str:
    """Check the name of a pattern."""
    if pattern not in PATTERNS:
        raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, not {pattern!r}")
    return str(pattern)


def usual_pattern(knob: int, call: int, T: int) -> str:
    """Choose the pattern of one of a case's calls by its knob, where nobody says which."""
    pattern = _USUAL[(knob + call) % len(_USUAL)] if knob else "none"
    # no step comes first or last where there is one
    return "rows" if T == 1 and pattern in ("trailing", "leading") else pattern


def mask_of(pattern: str, codes: Array) -> Mask:
    """Return the mask of a call, False where a step is masked. The first code of each sample says how many steps are.

    A pattern that is not ``"none"`` masks something if there is more than one step to mask, whatever the codes are.

    Parameters
    ----------
    codes : (N, T + 1) array of bytes
    """
    N, T = codes.shape[0], codes.shape[1] - 1
    first, rest, steps = codes[:, :1].astype(int), codes[:, 1:], np.arange(T)
    mask: Mask = np.ones((N, T), bool)
    if not mask.size:
        return mask
    if pattern in ("trailing", "leading"):
        count = first % T  # of masked steps, never all
        count[0, 0] = max(count[0, 0], T > 1)
        mask = steps < T - count if pattern == "trailing" else steps >= count
    elif pattern == "scattered":
        mask = rest % 5 < 3
        mask[0, (first[0, 0] + 1) % T] = False
    elif pattern == "rows":
        mask = (rest % 8 < 6) & (first % 3 > 0)
        mask[first[0, 0] % N] = False
        if N > 1:
            mask[(first[0, 0] + 1) % N] = True  # beside one that is all there
    elif pattern == "all":
        mask[:] = False
    return mask


def inputs_under(mask: Mask, spec: Spec, x: Array, codes: Array, knob: int) -> Array:
    """Return inputs of a call in which the steps of `mask` are masked; the knob says what masked steps hold."""
    if spec.embedded:
        # the same where zeros are not masked: then they are a word like any other
        ids = 1 + codes.astype(np.int32) % (spec.vocabulary - 1) if spec.vocabulary > 1 else 0 * codes
        return np.where(mask, ids, 0)
    if spec.source == "masking":
        # Runtimes that take subnormals for 0 would see other steps masked.
        x = np.where((x != 0) & (np.abs(x) < 1e-4), 0.25, x)
        if knob % 4:  # steps that hold the mask_value in some features, but not in all
            some = codes % 3 == 0
            some &= ~some.all(-1, keepdims=True)
            x = np.where(some, spec.mask_value, x)
        if knob % 3 == 1:  # and steps that hold what is near to it
            near = spec.mask_value * (1 + 1e-4) or 2e-4
            x = np.where(codes[..., :1] % 4 == 1, near, x)
        return np.where(mask[..., None], x, spec.mask_value)
    rubbish = knob % _RUBBISH_OF
    return np.where(mask[..., None], x, _RUBBISH[rubbish]) if rubbish in _RUBBISH else x
