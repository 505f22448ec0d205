"""Words of others, fit for a sentence and a terminal."""

from __future__ import annotations

import pytest

from pytest_rnnequiv.wording import cleaned, described, did_you_mean, told, wrapped


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain: é, 中文, 🙂", "plain: é, 中文, 🙂"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("over\rwritten\b\x7f", r"over\rwritten\x08\x7f"),
        ("one-byte escape \x9b31m", r"one-byte escape \x9b31m"),
        ("turned \u202e round \u200b", r"turned \u202e round \u200b"),
        ("half a pair \ud800", r"half a pair \ud800"),
        ("a wide\u3000and an unbreakable\xa0space", "a wide and an unbreakable space"),
        ("lines of another kind\u2028here", r"lines of another kind\u2028here"),
    ],
)
def test_what_moves_a_cursor_is_written_out(text: str, clean: str) -> None:
    assert cleaned(text) == clean
    cleaned(text).encode()


def test_what_is_long_is_cut() -> None:
    assert cleaned("x" * 10_000_000, 10) == "xxxxxxxxxx ... (10,000,000 characters)"
    assert cleaned("x" * 10, 10) == "x" * 10


def test_a_name_is_one_line() -> None:
    assert cleaned(" a\n b\tc ", lines=False) == "a b c"


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    def __repr__(self) -> str:
        raise ZeroDivisionError


def test_what_has_no_words_is_told_as_well() -> None:
    assert told(Mute()) == "its text cannot be had: str() of it raised KeyboardInterrupt"
    assert described(Mute()) == "a Mute whose repr raised ZeroDivisionError"
    assert told(ValueError()) == "no message"
    assert told(ValueError("  \n")) == "no message"
    assert described("1\n2") == r"'1\n2'"


def test_what_is_nearly_right_is_asked_for() -> None:
    assert did_you_mean("ran", ["forward", "run"]) == "; did you mean 'run'?"
    assert did_you_mean("backward_pass", ["run"]) == ""


def test_a_sentence_is_wrapped_and_a_path_stays_whole() -> None:
    path = "/a/long/path/that/has/no/room/in/thirty/columns.py"
    assert wrapped(f"it lies in {path} and nowhere else", 30) == ["it lies in", f"  {path}", "  and nowhere else"]
