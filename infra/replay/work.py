"""The work folder of a replay: what it was asked for, the events it found, and which steps are done.

Whoever is asked for the same again within a day goes on behind the last step that is done; a step that was
interrupted is done again, which changes nothing. The folder holds addresses and subjects: it is readable for its
owner alone, and removed in the end.
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Work"]

GOOD_FOR_SECONDS = 24 * 3600.0


class Work:
    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self.folder, self._asked = folder, dict(asked)
        self._state = folder / "replay.json"
        self.done: dict[str, dict[str, int]] = {}
        self.resumed = self._begun_before()
        if not self.resumed:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
            self._write()

    def finish(self, step: str, counts: Mapping[str, int]) -> None:
        self.done[step] = dict(counts)
        self._write()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begun_before(self) -> bool:
        try:
            told = json.loads(self._state.read_text(encoding="utf-8"))
            fresh = time.time() - self._state.stat().st_mtime < GOOD_FOR_SECONDS
        except (OSError, ValueError):
            return False
        self.done = told["done"]
        return bool(fresh and told["asked"] == self._asked)

    def _write(self) -> None:
        new = self._state.with_suffix(".new")
        new.write_text(json.dumps({"asked": self._asked, "done": self.done}), encoding="utf-8")
        new.replace(self._state)
