"""What it costs to explain one failure: to name its mistake, or to find that none of the catalogue explains it.

    python benchmarks/explaining.py [--before FOLDER]

One call of `diagnose` on what was computed without the bias, and on numbers that come of no mistake; as float32 gives
them, and as they were printed, with 4 decimals. In seconds of the processor, the median of three; with ``--before``, a
checkout of another build, beside those of that one, in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from installed import install

ROOT = Path(__file__).resolve().parents[1]
CELLS = ("SimpleRNN", "GRU", "LSTM")

#: Prints the seconds of each kind; run in the environment of a build.
MEASURE = """
import json, sys, time
import numpy as np
from pytest_rnnequiv import Case, Dense, GRU, LSTM, SimpleRNN, Spec, diagnose, reference

layer = {"SimpleRNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}[sys.argv[1]]
spec, rng = Spec(3, layer(5), Dense(2)), np.random.default_rng(1)
weights = [np.round(rng.normal(0, 0.8, shape), 4) for shape in spec.weight_shapes.values()]
case = Case(spec, np.round(rng.normal(size=(3, 10, 3)), 4), weights=weights)
named = np.asarray(reference(case.replace(bh=0 * case.bh), np.float32).outputs)
strange = named + 0.1 * np.sin(np.arange(named.size)).reshape(named.shape).astype(np.float32)
diagnose(case, named)

def seconds(*args, **options):
    began = time.process_time()
    found = diagnose(case, *args, **options)
    return time.process_time() - began, found.name

took = {}
for what, outputs in (("named", named), ("unexplained", strange)):
    for how, shown, options in (("float32", outputs, {}), ("4 decimals", np.round(outputs, 4), {"decimals": 4})):
        took[f"{what}, {how}"], name = seconds(shown, **options)
        assert bool(name) == (what == "named"), (what, how, name)
print(json.dumps(took))
"""


def measured(cell: str, build: dict[str, str]) -> dict[str, float]:
    """Measure one build once."""
    done = subprocess.run([sys.executable, "-c", MEASURE, cell], env=build, capture_output=True, text=True, check=True)
    took: dict[str, float] = json.loads(done.stdout)
    return took


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, help="a checkout of the build to compare with")
    given = parser.parse_args()
    checkouts = {"now": ROOT} | ({"before": given.before.resolve()} if given.before else {})
    with tempfile.TemporaryDirectory() as place:
        builds = {which: install(checkout, Path(place, which)) for which, checkout in checkouts.items()}
        print("| cell | what is explained | CPU seconds | before | ratio |\n|---|---|---|---|---|")
        for cell in CELLS:
            runs = [{which: measured(cell, build) for which, build in builds.items()} for _ in range(3)]
            for kind in runs[0]["now"]:
                took = {which: statistics.median(run[which][kind] for run in runs) for which in builds}
                before = took.get("before")
                beside = ["", ""] if before is None else [f"{before:.2f}", f"{took['now'] / before:.2f}"]
                print("|", " | ".join([cell, kind, f"{took['now']:.2f}", *beside]), "|", flush=True)


if __name__ == "__main__":
    main()
