"""Examples of strategies for the tests: as a plain test would draw them, and as small as they shrink."""

from __future__ import annotations

from random import Random

from hypothesis import find, given, settings


def collect(strategy, count=100):
    """Draw `count` examples as a plain test would, health checks and all."""
    drawn = []

    @settings(max_examples=count, database=None, derandomize=True)
    @given(strategy)
    def test(example):
        drawn.append(example)

    test()
    return drawn


def shrunk(strategy, fails, seed=0, examples=2000):
    """Return the smallest example that Hypothesis finds to fail, of so many that it may try."""
    return find(strategy, fails, settings=settings(max_examples=examples, database=None), random=Random(seed))
