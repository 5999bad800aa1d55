"""Tests with the real daemon run wherever Java is. Where it is and the library is missing they fail."""

import os
import shutil

import pytest

__all__ = ["needs_java"]

needs_java = pytest.mark.skipif(
    shutil.which("java") is None and "JAVA_HOME" not in os.environ,
    reason="NOT TESTED HERE: the Kinesis Client Library, since there is no Java",
)
