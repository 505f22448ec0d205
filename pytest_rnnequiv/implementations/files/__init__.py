"""Models that lie on disk, read as data: one module for each format, and :mod:`.reading`, which knows them all.

Nothing in a file is run. A library that builds a model from its file builds whatever the file names, and the file may
name code. Release after release of Keras has closed a way to have it run: ``safe_mode`` was ignored for ``.h5`` until
3.11.3 (CVE-2025-9905), and could be bypassed in ``.keras`` until 3.9.0, 3.11.0, 3.11.3 and 3.14.0
(CVE-2025-1550, CVE-2025-9906, CVE-2025-49655, CVE-2026-1462); a PyTorch file is a pickle. For recurrent layers and a
head no model has to be built: layers by name, their options and their arrays are enough.

:mod:`.limits` has the limits of all formats: no array is larger than its file, and nothing outside of the file is read
but what lies beside it.
"""

from .model import Model, Part
from .reading import read_model

__all__ = ["Model", "Part", "read_model"]
