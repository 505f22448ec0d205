"""``python -m pytest_rnnequiv``: what goes beside ``pytest --rnn-equiv``."""

import sys

from .plugin.report.merging import main

sys.exit(main())
