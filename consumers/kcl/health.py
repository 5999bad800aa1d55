"""The liveness probe of a container: python -m consumers.kcl.health FOLDER [SECONDS].

Exit 1 once a shard's file has not been touched for so long. A worker without a shard is well.
"""

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["SECONDS", "stale"]

SECONDS = 180.0


def stale(folder: Path, seconds: float = SECONDS) -> list[str]:
    """The shards that hang."""
    then = time.time() - seconds
    return sorted(each.name for each in folder.glob("*") if _touched(each) < then)


def _touched(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # its shard has just ended
        return math.inf


def main(arguments: Sequence[str]) -> int:
    found = stale(Path(arguments[0]), *map(float, arguments[1:]))
    if found:
        print(f"no sign of life for {', '.join(found)}", file=sys.stderr)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
