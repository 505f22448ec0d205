"""Judging a run: enclosures, the oracle, verdicts, laws, and asking an implementation in the strongest way."""
