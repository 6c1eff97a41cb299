"""
Where a database is: the file behind a path, or behind `:memory:`, and how its connections are set up.

A path goes in; a `Location` comes out, whose connections all open the same file with the same pragmas. Opening may be
done by any thread.
"""

import os
import shutil
import sqlite3
import tempfile
import weakref
from pathlib import Path
from typing import Any, Final

from gateways.sqlite.errors import translate
from gateways.sqlite.functions import Failures, register
from mapper.errors import CannotConnect, MapperError, QueryError

__all__ = ["Location"]

_MEMORY: Final = ":memory:"
_MEMORY_DIRECTORY: Final = "/dev/shm"
_MEMORY_FREE: Final = 512 * 1024 * 1024  # bytes that must be free there
_STATEMENTS: Final = 256  # compiled statements that a connection keeps


class Location:
    """
    A database file, by its path.

    `:memory:` is a private file in memory-backed storage: readers work beside a writer there, as they do on any file
    and as SQLite's own memory databases do not allow. It is made at the first connection and removed by `forget`, when
    nothing refers to this object any more, and at exit.

    Attributes:
        shown: The path as it was given, for messages.
        busy_seconds: How long a connection waits for locks of others.
    """

    __slots__ = ("__weakref__", "_directory", "_path", "busy_seconds", "memory", "read_only", "shown")

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool, busy_seconds: float) -> None:
        self.shown = os.fspath(path)
        self.memory = self.shown == _MEMORY
        self.read_only = read_only
        self.busy_seconds = busy_seconds
        self._path = "" if self.memory else os.path.abspath(self.shown)
        self._directory: weakref.finalize[Any, Any] | None = None
        if not self.shown or "\x00" in self.shown:
            raise QueryError(f"{self.shown!r} is no path", hint="give the path of a file, or ':memory:'")

    def forget(self) -> None:
        """Remove the file behind `:memory:`; the next connection makes an empty one."""
        if self._directory is not None:
            self._directory()
            self._directory = None

    def prepare(self) -> None:
        """Make the file behind `:memory:` if it is not there."""
        if self.memory and self._directory is None:
            directory = tempfile.mkdtemp(prefix="mapper-", dir=_memory_directory())
            self._directory = weakref.finalize(self, _remove, directory, os.getpid())
            self._path = os.path.join(directory, "memory.db")
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def connect(self) -> tuple[sqlite3.Connection, Failures]:
        """
        Open a connection and set it up.

        Raises:
            CannotConnect: The file cannot be opened.
            StoreCorrupt: It is damaged, or no database.
            LockTimeout: Another process kept it locked while its journal was to be switched.
        """
        try:
            connection = self._connect(self.busy_seconds, read_only=self.read_only)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        try:
            self._set_up(connection)
            return connection, register(connection)
        except sqlite3.Error as error:
            connection.close()
            raise self._explained(error) from error

    def connect_inline(self) -> sqlite3.Connection:
        """
        Open a connection that cannot write and waits for no lock.

        Raises:
            sqlite3.Error: It cannot be opened, or must not be used by several threads in turn.
        """
        if sqlite3.threadsafety < 3:
            raise sqlite3.NotSupportedError("this SQLite is built for one thread")
        connection = self._connect(0, read_only=True)
        register(connection)
        return connection

    def _connect(self, busy_seconds: float, *, read_only: bool) -> sqlite3.Connection:
        # As a URI, in which every character of the path stands for itself.
        mode = "ro" if read_only else "rwc"
        return sqlite3.connect(
            f"{Path(self._path).as_uri()}?mode={mode}",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if self.read_only:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        elif connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'OFF' if self.memory else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")

    def _explained(self, error: sqlite3.Error) -> MapperError:
        translated = translate(error)
        if not isinstance(translated, CannotConnect):
            return translated
        return CannotConnect(f"cannot open {self.shown!r}: {error}", hint=self._hint())

    def _hint(self) -> str:
        path = Path(self._path)
        if not path.parent.is_dir():
            return f"the directory {str(path.parent)!r} does not exist: make it first"
        if path.is_dir():
            return "this is a directory: give the path of a file"
        if self.read_only and not path.exists():
            return "there is no such file, and a read-only gateway makes none"
        return "look at the permissions of the file and its directory"


def _memory_directory() -> str | None:
    """Choose where memory databases are: memory where there is enough of it, else the directory of temporary files."""
    try:
        free = shutil.disk_usage(_MEMORY_DIRECTORY).free
    except OSError:
        return None
    return _MEMORY_DIRECTORY if free >= _MEMORY_FREE and os.access(_MEMORY_DIRECTORY, os.W_OK) else None


def _remove(directory: str, process: int) -> None:
    # A forked child has inherited the object, but the file is its parent's.
    if os.getpid() == process:
        shutil.rmtree(directory, ignore_errors=True)
