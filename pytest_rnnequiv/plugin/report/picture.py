"""A picture of a broken run. Importing this module needs matplotlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...failures.assertion import EquivalenceError
from ...judging.inspection import inspect

__all__ = ["draw"]


def draw(error: EquivalenceError, file: Path) -> bool:
    """Draw the sample that breaks first: error over bound by step and unit, and got beside expected.

    Returns
    -------
    bool
        False where there is nothing to draw: an answer that is no trajectory.
    """
    place, trajectory, case = error.verdict.place, error.trajectory, error.case
    if place is None or trajectory is None:
        return False
    finding = next(f for f in inspect(case, trajectory, error.precision).findings if f.what == place.what)
    ratio, _ = finding.ratio()
    ratio = ratio[place.n].T
    steps = np.arange(finding.first, finding.first + ratio.shape[1])
    figure = Figure(figsize=(8, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    call = case.calls[0]
    figure.suptitle(f"{error.name or 'the implementation'} on {case.spec}, N={call.N}, T={call.T}", fontsize=10)

    # In powers of ten from a thousandth of the bound (right) to a thousand times it; NaN is off the scale.
    shown = np.log10(np.clip(np.nan_to_num(ratio, posinf=1e3), 1e-3, 1e3))
    edges = (steps[0] - 0.5, steps[-1] + 0.5, len(ratio) - 0.5, -0.5)
    image = upper.imshow(shown, aspect="auto", cmap="coolwarm", vmin=-3, vmax=3, extent=edges, interpolation="nearest")
    upper.set(title=f"error over bound, {place.what}s of sample {place.n}", xlabel="step", ylabel="unit")
    upper.plot(place.t, place.unit, "kx", markersize=10)
    bar = figure.colorbar(image, ax=upper, ticks=[-3, 0, 3])
    bar.ax.set_yticklabels(["1/1000", "the bound", "1000 x"])

    got, expected = finding.got[place.n, :, place.unit], finding.expected[place.n, :, place.unit]
    lower.plot(steps, expected, "o-", color="tab:blue", label="expected, given the step before", markersize=4)
    lower.plot(steps, got, "x--", color="tab:red", label="got", markersize=6)
    lower.axvline(place.t, color="black", linewidth=0.5)
    lower.set(title=f"unit {place.unit}, first broken at step {place.t}", xlabel="step", ylabel=place.what)
    lower.legend()
    for axis in (upper.xaxis, upper.yaxis, lower.xaxis):  # half a step is no step
        axis.set_major_locator(MaxNLocator(integer=True))
    figure.savefig(file, dpi=100)
    return True
