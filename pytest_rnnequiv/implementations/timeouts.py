"""How long a case may take."""

__all__ = ["FIRST_TIMEOUT", "LONGEST_TIMEOUT", "TIMEOUT"]

#: Seconds that one case may take, where the implementation does not say otherwise.
TIMEOUT = 10.0

#: Seconds that the first one may take: it may import a framework, trace a graph, convert a model.
FIRST_TIMEOUT = 180.0

#: More seconds than that are no limit, and too many for some systems.
LONGEST_TIMEOUT = 1e6
