"""Where Keras itself is not the recurrence: all that is known about that.

Wrong values without a word come before exceptions. Each was tried on all of the releases from 3.1.1 to 3.15.1 that
``benchmarks/keras_versions.py`` names, by that script; Keras 3.0 was not, since it needs ``dm-tree``.
"""

from __future__ import annotations

from . import keras_errors as keras_errors  # which knows keras_values, so that those come first
from .table import KERAS, Divergence, concerning, installed, of_library

__all__ = ["DIVERGENCES", "KERAS", "UPCOMING", "Divergence", "concerning", "installed"]

#: Those of Keras, wrong values first.
DIVERGENCES = of_library("keras")

#: What Keras's own repository has changed, and no release yet when we looked.
UPCOMING = (
    "The repository of Keras, which calls itself 3.16.0, no longer hands masks on through `RNN` (`SimpleRNN`, `LSTM`, "
    "`GRU`), `Bidirectional` and `TimeDistributed` (https://github.com/keras-team/keras/pull/23235): it warns, and the "
    "layers above compute through the padding. `Masking -> SimpleRNN(return_sequences=True) -> SimpleRNN` gives other "
    "numbers then. Passing the mask to every layer yourself, `layer(x, mask=mask)`, gives the same before and after."
)
