"""
Where a server's programs are: in a wheel, or in the system.

Names go in; the path of the directory or program comes out, or None.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["NoServer", "reachable", "system_program", "wheel"]

OPEN: Final = 0o005
"""What a directory must allow everybody, so that a server without rights of its own reaches what is below it."""

COPIES: Final = Path("/var/tmp/mapper-test-programs")


class NoServer(LookupError):
    """No way to a server was found. The message is the line that mends it."""


def wheel(package: str) -> Path | None:
    """Return the directory of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    places = [] if spec is None else spec.submodule_search_locations or []
    return next((Path(each) for each in places), None)


def system_program(*names: str, directories: Iterable[Path] = ()) -> Path | None:
    """Return the first program of these names, in the directories or on the path."""
    for directory in directories:
        for name in names:
            if (directory / name).exists():
                return directory / name
    found = next((each for each in map(shutil.which, names) if each), None)
    return None if found is None else Path(found)


def reachable(package: Path, beside: Iterable[str] = ()) -> Path:
    """
    Return the package where anybody may read it: itself, or a copy of it when the tests run as root below a closed
    directory.

    Args:
        beside: Names of directories next to it that its programs load libraries from.
    """
    if os.geteuid() != 0 or all(each.stat().st_mode & OPEN == OPEN for each in (package, *package.parents)):
        return package
    copy = COPIES / f"{package.name}-{package.stat().st_mtime_ns}"
    if not copy.exists():
        making = copy.with_suffix(f".{os.getpid()}")
        for name in (package.name, *beside):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, making / name, symlinks=True)
        making.rename(copy)
    return copy / package.name
