"""Template folders on disk, and the starter templates that come with the package."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from consumers.templates import FILES

__all__ = ["folders", "starter_folders"]

Texts = Mapping[str, str]


def folders(root: Path) -> Mapping[str, Texts]:
    """The files of each template, by the template's name; folders that begin with `_` or `.` are none."""
    return _found(root)


def starter_folders() -> Mapping[str, Texts]:
    return _found(files("templates"))


def _found(root: Traversable) -> dict[str, Texts]:
    every = sorted((each for each in root.iterdir() if each.is_dir()), key=lambda each: each.name)
    named = {each.name: _texts(each) for each in every if each.name[0] not in "_."}
    return {name: texts for name, texts in named.items() if texts}


def _texts(folder: Traversable) -> Texts:
    present = [name for name in FILES if folder.joinpath(name).is_file()]
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in present}
