"""Import TensorFlow and Keras, without their start-up chatter."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["load", "quiet_import"]

LEVEL = "TF_CPP_MIN_LOG_LEVEL"

#: Lines that say nothing to the user of a test suite. Two formats: absl's (``I0000 00:00:1.2 34 file.cc:5] ...``), and
#: that of TensorFlow before 2.19 (``2024-05-06 07:08:09.1: I tensorflow/...``).
CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|I\d{4} \d\d:\d\d:"
    rb"|\d{4}-\d\d-\d\d [\d:.]+: I "
    rb"|To enable the following instructions: "
    # errors and warnings in form only: a machine without a GPU, or two parts of TensorFlow that register the same one
    rb"|.*failed call to cuInit"
    rb"|.*Unable to register cu\w+ factory"
    rb"|.*computation placer already registered"
    rb"|.*TF-TRT Warning: "
)


@contextmanager
def quiet_import() -> Iterator[None]:
    """Hold back what the import of TensorFlow writes to stderr, and drop the chatter in it.

    TensorFlow 2.21 writes some lines before its logging is set up, so that ``TF_CPP_MIN_LOG_LEVEL`` does not reach
    them: file descriptor 2 itself is turned aside. Afterwards everything that is not known chatter is written after
    all; if the block raises, so is the chatter.

    Does nothing if the user has set ``TF_CPP_MIN_LOG_LEVEL``, or if TensorFlow has been imported already.
    """
    if LEVEL in os.environ or "tensorflow" in sys.modules:
        yield
        return
    try:
        sys.stderr.flush()
        stderr = os.dup(2)
    except (AttributeError, OSError, ValueError):  # no stderr: nothing to keep quiet
        yield
        return
    # Read once, at import. Fatal errors only, from then on: graph optimisers report as errors what they merely give up
    # on (relu in a SimpleRNN: a page for each trace), and an error that stops anything is a Python exception too.
    os.environ[LEVEL] = "3"
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            os.environ.pop(LEVEL, None)
            held.seek(0)
            for line in held:
                if failed or not CHATTER.match(line):
                    os.write(2, line)


@cache
def load() -> tuple[Any, Any]:
    """Import TensorFlow and Keras, once and quietly.

    Returns
    -------
    tensorflow, keras : modules
        ``tensorflow`` is None where the user has chosen another backend (``KERAS_BACKEND``, ``keras.json``).

    Raises
    ------
    ImportError
        If one of them cannot be imported; the message says what to do.
    """
    wanted = "keras"
    with quiet_import():
        try:
            keras = import_module(wanted)
            if keras.config.backend() != "tensorflow":
                return None, keras
            wanted = "tensorflow"
            tf = import_module(wanted)
            tf.config.list_physical_devices()  # looks for a GPU, and complains where there is none
        except Exception as error:  # a broken build raises anything: AttributeError, TypeError, SystemError
            missing = getattr(error, "name", None) or wanted
            raise ImportError(
                f"the Keras implementations need keras and its backend, but importing {missing} failed "
                f"({type(error).__name__}: {error}); try `pip install --upgrade tensorflow keras`, or set "
                f"KERAS_BACKEND to a backend that is installed",
                name=missing,
            ) from error
    return tf, keras
