"""
What a gateway can do, as a frozen value.

The planner and the compilers read it before any I/O; what a gateway lacks is refused with `Unsupported`.
"""

from attrs import field, frozen

from mapper.errors import Unsupported

__all__ = ["Capabilities", "unsupported_function"]


def _gate(doc: str) -> bool:
    """Return a feature gate: off unless the gateway says otherwise, with its meaning kept for the documentation."""
    gate: bool = field(default=False, metadata={"doc": doc})
    return gate


def _limit(doc: str) -> int | None:
    """Return a limit: None (unlimited) unless the gateway says otherwise."""
    limit: int | None = field(default=None, metadata={"doc": doc})
    return limit


@frozen(kw_only=True)
class Capabilities:
    """Declared facts about a gateway. Gates are false and limits are None (unlimited) unless stated."""

    gateway: str
    sql: bool = _gate("statements are compiled to SQL text")
    transactions: bool = _gate("several operations commit or roll back as one")
    savepoints: bool = _gate("transactions nest")
    isolation_levels: frozenset[str] = field(
        default=frozenset(),
        metadata={"doc": "levels that a transaction can be given, a stricter one standing in for a weaker"},
    )
    read_only: bool = _gate("read-only transactions are enforced by the store")
    relational: bool = _gate("joins, grouping, subqueries and set operations")
    returning: bool = _gate("inserted, updated and deleted rows come back")
    upsert: bool = _gate("insert or update on a conflict")
    upsert_target: bool = _gate("the conflict's columns can be named")
    upsert_where: bool = _gate("the update of an upsert takes a condition")
    update_from: bool = _gate("an update takes values from rows of another source")
    bulk_arrays: bool = _gate("rows travel as one array parameter a column")
    streaming: bool = _gate("a result is read in batches while the store holds the rest")
    generated_keys: frozenset[str] = field(
        default=frozenset(), metadata={"doc": "kinds of keys that the store generates ('int', 'uuid')"}
    )
    native_json: bool = _gate("documents have a type of their own")
    native_array: bool = _gate("lists have a type of their own")
    native_enum: bool = _gate("enumerations have a type of their own")
    native_uuid: bool = _gate("UUIDs have a type of their own")
    native_decimal: bool = _gate("decimals are exact in the store's own arithmetic")
    native_timestamptz: bool = _gate("aware datetimes have a type of their own")
    ilike: bool = _gate("case-insensitive LIKE")
    windows: bool = _gate("window functions")
    ctes: bool = _gate("common table expressions")
    recursive_ctes: bool = _gate("recursive common table expressions")
    writable_ctes: bool = _gate("common table expressions that write")
    lateral: bool = _gate("lateral joins")
    right_join: bool = _gate("right and full joins")
    full_join_conditions: bool = _gate("full joins on any condition, not only on equal columns")
    correlated_order: bool = _gate("subqueries ordered by columns of the enclosing query")
    correlated_grouping: bool = _gate("subqueries grouped by columns of the enclosing query")
    grouping_sets: bool = _gate("rollup, cube and grouping sets")
    row_locks: bool = _gate("SELECT … FOR UPDATE and FOR SHARE")
    skip_locked: bool = _gate("row locks that skip locked rows")
    foreign_keys: bool = _gate("references are enforced")
    checks: bool = _gate("check constraints are enforced")
    schemas: bool = _gate("relations live in named schemas")
    ddl: bool = _gate("the schema can be made by statements")
    ddl_transactions: bool = _gate("schema changes roll back")
    listen: bool = _gate("notifications are received")
    maximum_parameters: int | None = _limit("parameters of one statement")
    maximum_connections: int | None = _limit("connections at once")

    def require(self, capability: str, *, what: str | None = None, hint: str | None = None) -> None:
        """
        Refuse a statement that needs a gate which is off.

        Raises:
            Unsupported: `capability` is off; `what` names the part of the statement that needs it.
        """
        if not getattr(self, capability):
            message = f"{what} needs {capability!r}, which the {self.gateway} gateway lacks" if what else None
            raise Unsupported(capability, self.gateway, message, hint=hint)


def unsupported_function(name: str, gateway: str, *, hint: str) -> Unsupported:
    """
    Return the error of an operator or function that a gateway lacks.

    One that only another gateway has carries that gateway's name in front, as `postgres.array_agg`; the error then says
    so in the place of the hint.
    """
    owner, owned, rest = name.partition(".")
    function, step = (rest.partition(":")[0], f"only the {owner} gateway has it") if owned else (name, hint)
    return Unsupported(function, gateway, f"{function} is not supported by the {gateway} gateway", hint=step)
