"""Texts: those of others, such as a port's exception, made fit for a sentence of ours, and lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["cleaned", "described", "did_you_mean", "plural", "told", "wrapped"]

#: Characters of a text that are worth reading; exceptions may hold a page, or a model.
MOST_CHARACTERS = 600


def cleaned(text: str, most: int = MOST_CHARACTERS, *, lines: bool = True) -> str:
    r"""Return a text without what moves a cursor, changes colours or hides: each such character is written as ``\x1b``.

    Parameters
    ----------
    text : str
    most : int
        How many characters are left; what is cut off is told.
    lines : bool
        Whether ends of lines and tabs stay; else they are spaces.
    """
    cut = f" ... ({len(text):,} characters)" if len(text) > most else ""
    kept = text[:most]
    if not lines:
        kept = " ".join(kept.split())
    return "".join(map(_printable, kept)) + cut


def _printable(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    if character.isspace() and character not in "\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "  # the wide and the unbreakable ones
    return character.encode("unicode_escape").decode("ascii")


def told(error: BaseException, most: int = MOST_CHARACTERS) -> str:
    """Return the text of an exception, be it long, empty, or impossible to have."""
    try:
        text = str(error)
    except BaseException as another:
        return f"its text cannot be had: str() of it raised {type(another).__name__}"
    return cleaned(text.strip(), most) or "no message"


def described(thing: object, most: int = 80) -> str:
    """Return the `repr` of anything in one line, be it long or impossible to have."""
    try:
        text = repr(thing)
    except BaseException as another:
        return f"a {type(thing).__name__} whose repr raised {type(another).__name__}"
    return cleaned(text, most, lines=False)


def wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    """Return a text in lines of a terminal; what cannot be broken, such as a path, stays whole."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def plural(number: int, noun: str) -> str:
    """Return how many there are of something: ``1 case``, ``1,200 cases``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question after a name that is like another, such as ``; did you mean 'run'?``; empty if none is."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
