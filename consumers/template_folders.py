"""Template folders on disk, and the starter templates that come with the package."""

import json
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from consumers.templates import FILES

__all__ = ["folders", "starter_folders", "starter_sample"]

Texts = Mapping[str, str]


def folders(root: Path) -> Mapping[str, Texts]:
    """The files of each template, by the template's name; folders that begin with `_` or `.` are none."""
    return _found(root)


def starter_folders() -> Mapping[str, Texts]:
    return _found(files("templates"))


def starter_sample(name: str) -> Mapping[str, Any] | None:
    """A value for every variable of a starter template."""
    sample = files("templates").joinpath("_source", "samples", f"{name}.json")
    found: Mapping[str, Any] | None = json.loads(sample.read_text("utf-8")) if sample.is_file() else None
    return found


def _found(root: Traversable) -> dict[str, Texts]:
    every = sorted((each for each in root.iterdir() if each.is_dir()), key=lambda each: each.name)
    return {each.name: _texts(each) for each in every if each.name[0] not in "_."}


def _texts(folder: Traversable) -> Texts:
    """What is not UTF-8 comes as lone surrogates, for `check` to find."""
    present = [file for file in FILES if folder.joinpath(file).is_file()]
    return {
        file: folder.joinpath(file).read_bytes().decode("utf-8-sig", "surrogateescape") for file in present
    }
