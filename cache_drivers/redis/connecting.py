"""
How connections are made: where, as whom, through TLS or a Sentinel, as a URL or a client of redis-py says.

A URL or client goes in; connections that have logged in come out, to primaries alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Self, TypeAlias

from attrs import evolve, field, frozen

from cache_drivers.redis.library import load
from cache_drivers.redis.replies import error_of, first_refusal
from cache_drivers.redis.wire import Reply, Wire, packed
from mapper.errors import CacheConfigError, CacheDriverError, CacheProtocolError, CacheTimeout, CacheUnavailable

__all__ = ["ASK_STATE", "Address", "Connecting", "ServerState", "connectings"]

Address: TypeAlias = tuple[str, int]

ASK_STATE: Final = packed("INFO", "server") + packed("INFO", "replication")
"""What asks for a `ServerState`; two replies."""

OURS: Final = ("maint_", "maintenance_", "oss_cluster_", "orig_", "redis_connect_func", "max_connections")
"""What settings of connections begin with that are the client's own business."""


@frozen(kw_only=True)
class ServerState:
    """
    What a server says of itself; empty strings where it does not tell.

    Attributes:
        run: Another after each start.
        history: Of what it keeps; another after a replica was made a primary.
        role: `master` or `slave`.
        mode: `standalone`, `cluster` or `sentinel`.
    """

    run: str = ""
    history: str = ""
    role: str = ""
    mode: str = ""

    @classmethod
    def of(cls, replies: Sequence[Reply]) -> Self:
        """Read the two replies to `ASK_STATE`; a server may forbid the question to a user."""
        refusal = first_refusal(replies)
        if refusal is not None and refusal.code != "NOPERM":
            raise error_of(refusal, "INFO")
        lines = b"\n".join(reply for reply in replies if isinstance(reply, bytes)).decode(errors="replace").splitlines()
        said = dict(line.split(":", 1) for line in lines if ":" in line)
        return cls(
            run=said.get("run_id", ""),
            history=said.get("master_replid", ""),
            role=said.get("role", ""),
            mode=said.get("server_mode") or said.get("redis_mode", ""),
        )

    @property
    def identity(self) -> str:
        """What names this state of the server."""
        return f"{self.run}:{self.history}"


@frozen(kw_only=True)
class Connecting:
    """
    Makes connections to one server, or to whichever a Sentinel names.

    Attributes:
        kind: A class of connections of redis-py.
        settings: What it is given.
        owner: What must be kept alive as long as connections are made: a client.
    """

    kind: Callable[..., Any]
    settings: dict[str, Any] = field(repr=False)
    connect_timeout: float
    command_timeout: float
    owner: object = field(default=None, repr=False)

    def at(self, address: Address) -> "Connecting":
        """Return the same for another server of a cluster."""
        return evolve(self, settings={**self.settings, "host": address[0], "port": address[1]})

    @property
    def place(self) -> str:
        """Where the server is."""
        path = self.settings.get("path")
        return path or f"{self.settings.get('host', 'localhost')}:{self.settings.get('port', 6379)}"

    @property
    def host(self) -> str:
        """The server's host."""
        return str(self.settings.get("host", "localhost"))

    async def open(self, pushed: Callable[[Sequence[Any] | None], None] | None = None) -> tuple[Wire, ServerState]:
        """
        Open a connection to a primary.

        Args:
            pushed: Speak the third version of the protocol, and call this with what the server sends unasked.

        Raises:
            CacheTimeout: Within `connect_timeout` there was none.
            CacheUnavailable: The server is away, refuses the login, or is a replica.
            CacheProtocolError: What answers is no Redis.
        """
        connection = self._new(2 if pushed is None else 3)
        wire: Wire | None = None
        try:
            async with asyncio.timeout(self.connect_timeout):
                await connection.connect()
                wire = _taken(connection, self.command_timeout, pushed)
                return wire, self._primary(ServerState.of(await wire.exchange(ASK_STATE, 2)))
        except BaseException as error:
            if wire is not None:
                wire.abort()
            _abandon(connection)
            if isinstance(error, Exception):
                raise self._translated(error) from self._cause(error)
            raise

    def check(self) -> None:
        """
        Find out whether connections can be made of the settings, without making one.

        Raises:
            CacheConfigError: They cannot.
        """
        try:
            self._new(2)
        except Exception:  # which it is depends on the version; its text may quote a setting
            raise CacheConfigError("the redis client's settings are for no connection that redis-py can make") from None

    def _new(self, protocol: int) -> Any:
        """Return a connection that is not open yet, without anything of redis-py that tries again by itself."""
        retry = load("redis.asyncio.retry").Retry(load("redis.backoff").NoBackoff(), 0)
        return self.kind(
            **{name: value for name, value in self.settings.items() if not name.startswith(OURS)}
            | {
                "protocol": protocol,
                "retry": retry,
                "retry_on_error": [],
                "retry_on_timeout": False,
                "socket_timeout": self.connect_timeout,
                "socket_connect_timeout": self.connect_timeout,
                "health_check_interval": 0,
                "decode_responses": False,
            }
        )

    def _primary(self, state: ServerState) -> ServerState:
        if state.mode == "sentinel":
            raise CacheUnavailable(
                f"the redis server at {self.place} is a Sentinel, expected one that keeps values",
                hint="give the driver the client of `Sentinel(…).master_for(…)`",
            )
        if state.role == "slave":
            raise CacheUnavailable(f"the redis server at {self.place} is a replica, expected a primary")
        return state

    def _translated(self, error: Exception) -> CacheDriverError:
        errors = load("redis.exceptions")
        match error:
            case CacheDriverError():
                return error
            case TimeoutError() | errors.TimeoutError():
                return CacheTimeout(f"no connection to the redis server at {self.place} in {self.connect_timeout:g} s")
            case errors.AuthenticationError() | errors.ResponseError():
                return CacheUnavailable(
                    f"the redis server at {self.place} refuses the login", hint="look at user, password and database"
                )
            case errors.ConnectionError() | OSError():
                return CacheUnavailable(f"cannot reach the redis server at {self.place}")
            case _:
                return CacheProtocolError(f"what answers at {self.place} is no redis server")

    def _cause(self, error: Exception) -> BaseException | None:
        """Return an error's cause; None where a text may quote what was sent, which may be a password."""
        errors = load("redis.exceptions")
        if isinstance(error, CacheDriverError):
            return error.__cause__
        return None if isinstance(error, errors.AuthenticationError | errors.ResponseError) else error


def connectings(source: Any, connect_timeout: float, command_timeout: float) -> tuple[list[Connecting], bool]:
    """
    Return how connections are made to the server that a URL or client names, and whether it is known to be a cluster;
    of a client for clusters to each server that it starts from.

    Raises:
        CacheConfigError: It is neither, or has settings that are none.
    """
    load("hiredis")
    library = load()
    times = {"connect_timeout": connect_timeout, "command_timeout": command_timeout}
    if isinstance(source, str):
        found, cluster = [_of_pool(_parsed(source), None, times)], False
    elif isinstance(source, library.RedisCluster):
        nodes: list[Any] = list(source.nodes_manager.startup_nodes.values())
        made = [Connecting(kind=n.connection_class, settings=dict(n.connection_kwargs), **times) for n in nodes]
        found, cluster = made, True
    elif isinstance(source, library.Redis):
        found, cluster = [_of_pool(source.connection_pool, source, times)], False
    else:
        raise CacheConfigError(
            f"cannot reach a redis server by a {type(source).__name__}, expected a URL or a client of redis.asyncio"
        )
    for each in found:
        each.check()
    return found, cluster


def _parsed(url: str) -> Any:
    try:
        return load().ConnectionPool.from_url(url)
    except Exception:  # its text may quote a part of the password
        raise CacheConfigError(
            "the redis URL cannot be read, expected one such as redis://user:password@host:6379/0",
            hint="schemes are redis, rediss (TLS) and unix; write special characters of a password as %XX",
        ) from None


def _of_pool(pool: Any, owner: object, times: dict[str, float]) -> Connecting:
    return Connecting(
        kind=pool.connection_class,
        settings=dict(pool.connection_kwargs),
        owner=(pool, owner),
        connect_timeout=times["connect_timeout"],
        command_timeout=times["command_timeout"],
    )


def _taken(connection: Any, timeout: float, pushed: Callable[[Sequence[Any] | None], None] | None) -> Wire:
    """Take a connection away from redis-py once it has logged in: what goes over it from now on is ours alone."""
    writer: asyncio.StreamWriter = connection._writer
    wire = Wire(writer, timeout=timeout, pushed=pushed)
    connection._writer = connection._reader = None
    return wire


def _abandon(connection: Any) -> None:
    """Close a connection that did not get as far, at once."""
    writer: asyncio.StreamWriter | None = connection._writer
    if writer is not None:
        connection._writer = connection._reader = None
        writer.transport.abort()
