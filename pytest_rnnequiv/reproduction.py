"""A script that shows a case to somebody who has numpy and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .case import Case

__all__ = ["READABLE", "script"]

#: The activations, as one would type them.
_TYPED = {
    "tanh": "np.tanh(a)",
    "linear": "a",
    "relu": "np.maximum(a, 0)",
    "sigmoid": "1 / (1 + np.exp(-a))",
    "hard_sigmoid": "np.clip(a / 6 + 0.5, 0, 1)",
    "hard_tanh": "np.clip(a, -1, 1)",
    "softsign": "a / (1 + np.abs(a))",
    "softplus": "np.logaddexp(a, 0)",
    "elu": "np.where(a > 0, a, np.expm1(np.minimum(a, 0)))",
    "leaky_relu": "np.where(a >= 0, a, 0.2 * a)",
    "relu6": "np.clip(a, 0, 6)",
}

#: Numbers beyond which a script would be unreadable, and reads the case from its file instead.
READABLE = 300


def script(case: Case, file: str | None = None) -> str:
    """Write the recurrence of a case as a script that needs numpy only.

    Parameters
    ----------
    case : Case
    file : str, optional
        The ``.npz`` that the case was saved to, for a case with many numbers.

    Returns
    -------
    str
        Python source. It prints states and outputs of every step; its last line is a comment which says how to call the
        port on the same numbers.
    """
    spec = case.spec
    numbers = case.numbers()
    lines = ["import numpy as np", ""]
    if file is not None and sum(a.size for a in numbers.values()) > READABLE:
        lines.append(f"case = np.load({file!r})")
        lines.append(f"{', '.join(numbers)} = (case[name] for name in {tuple(numbers)!r})")
    else:
        lines += [f"{name} = {_literal(array)}" for name, array in numbers.items()]
    h = "h0" if case.h0 is not None else f"np.zeros(({case.N}, {case.M}))"
    new, y = _typed(spec.activation.name, "activation"), _typed(spec.head_activation.name, "head_activation")
    for function, own in (("activation", spec.activation), ("head_activation", spec.head_activation)):
        if own.name not in _TYPED:
            lines += ["", f"def {function}(a):  # define it: {own.name}", "    raise NotImplementedError"]
    lines += ["", f"h = {h}", f"for t in range({case.T}):", "    a = x[:, t] @ Wx + h @ Wh + bh"]
    if case.mask is None:
        lines.append(f"    h = {new}")
    else:
        lines.append(f"    h = np.where(mask[:, t, None], {new}, h)")
    if spec.head_activation.name == "linear":
        lines.append("    y = h @ Wo + bo")
    else:
        lines += ["    a = h @ Wo + bo", f"    y = {y}"]
    lines += ['    print("step", t, "h =", h.tolist(), "y =", y.tolist())']
    lines += ["# and the port on the same numbers: print(forward(x, Wx, Wh, bh, Wo, bo))"]
    return "\n".join(lines) + "\n"


def _typed(name: str, function: str) -> str:
    return _TYPED.get(name, f"{function}(a)")


def _literal(array: npt.NDArray[Any]) -> str:
    """Write an array as Python source that gives the same bits."""
    if not array.any() and array.dtype.kind == "f" and not np.signbit(array).any():
        return f"np.zeros({array.shape}, np.{array.dtype})"
    text = _nested(array)
    return f"np.array({text}, {'bool' if array.dtype == bool else f'np.{array.dtype}'})"


def _nested(array: npt.NDArray[Any]) -> str:
    """Write numbers with the fewest digits that give the same bits."""
    if array.ndim:
        return f"[{', '.join(_nested(row) for row in array)}]"
    text = str(array[()])
    return f"np.{text}" if text in ("nan", "inf") else "-np.inf" if text == "-inf" else text
