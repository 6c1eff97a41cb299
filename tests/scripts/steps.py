"""
Scripts: steps that are played on a store and on the model at once. Whatever the store gives must be what the model says.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import strategies as st

from mapper import select
from mapper.errors import (
    CheckViolation,
    ForeignKeyViolation,
    MapperError,
    MissingRow,
    OnceConflict,
    RolledBack,
    StaleRow,
    UniqueViolation,
)
from tests.scripts.stock import Products, State, Stock, found
from tests.scripts.writes import Counts, Resolved, Write, built, foretold, resolved, writes

__all__ = ["Play", "Script", "Step", "scripts"]

IDS: Final = st.sampled_from([None, None, None, None, "one", "two"])


@attrs.frozen
class Commit:
    """
    Commit writes.

    Attributes:
        once: The id under which it takes effect once.
        again: Commit what was committed under that id before, where something was.
        caught: Within a block: its failure does not leave the block, which is doomed all the same.
    """

    writes: tuple[Write, ...]
    once: str | None
    again: bool
    caught: bool


@attrs.frozen
class Read:
    """Read products, which are what later steps name as they were read."""


@attrs.frozen
class Block:
    """
    Do steps in a transaction, or in a savepoint within one.

    Attributes:
        fails: Raise an exception behind them.
        run: By `run`, and not as a block.
    """

    steps: "tuple[Step, ...]"
    fails: bool
    run: bool


Step: TypeAlias = Commit | Read | Block
Script: TypeAlias = tuple[Step, ...]

_SIMPLE: Final = st.one_of(
    st.builds(Commit, writes(), IDS, st.booleans(), st.integers(0, 3).map(lambda drawn: not drawn)),
    st.builds(Commit, writes(), IDS, st.booleans(), st.just(False)),
    st.builds(Commit, writes(), IDS, st.booleans(), st.just(False)),
    st.just(Read()),
)


STOCKED: Final = Commit(
    (
        *[Write("new shelf", name=name) for name in "abcd"],
        *[Write("new product", where=2 * number + 1, name=name, number=number) for number, name in enumerate("abcd")],
        *[Write("new tag", which=number, name=name) for number, name in enumerate("ab")],
    ),
    once=None,
    again=False,
    caught=False,
)
"""What there is at the beginning."""


def scripts() -> st.SearchStrategy[Script]:
    """Return strategies of scripts."""

    def blocks(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
        steps = st.lists(inner, min_size=1, max_size=4).map(tuple)
        return st.builds(Block, steps, st.integers(0, 3).map(lambda drawn: not drawn), st.booleans())

    return st.lists(st.recursive(_SIMPLE, blocks, max_leaves=8), min_size=3, max_size=10).map(tuple)


class Planned(Exception):
    """What a block raises that is to fail."""


@attrs.define(eq=False)
class _Level:
    """
    A block that is open.

    Attributes:
        before: The model at its beginning.
        seen: What had been read at its beginning: of what is undone a store may use the keys again.
        doomed: An operation of it has failed.
        waiting: The numbers of the blocks whose callbacks wait for the end of this one.
    """

    before: State
    seen: list[Any]
    doomed: bool = False
    waiting: list[int] = attrs.field(factory=list)


@attrs.define(eq=False)
class Play:
    """
    A script in progress.

    Attributes:
        stock: The store.
        state: The model.
        seen: Products as they were read at some time.
        called, expected: Callbacks of blocks: what was called, and what had to be.
    """

    stock: Stock
    state: State = attrs.field(factory=State)
    seen: list[Any] = attrs.field(factory=list)
    called: list[tuple[str, int]] = attrs.field(factory=list)
    expected: list[tuple[str, int]] = attrs.field(factory=list)
    _levels: list[_Level] = attrs.field(factory=list)
    _number: int = 0

    async def play(self, script: Sequence[Step]) -> None:
        """Do the steps on a store with a few rows, and compare everything after each."""
        for each in (STOCKED, Read(), *script):
            with suppress(MapperError, Planned):
                await self._do(self.stock, each)
            await self._compare(self.stock)
            assert self.called == self.expected

    async def _compare(self, stock: Stock) -> None:
        if self._levels and self._levels[-1].doomed:
            try:
                await found(stock)
            except RolledBack:
                return
            raise AssertionError("a doomed transaction was read")
        assert await found(stock) == self.state.rows

    async def _do(self, stock: Stock, step: Step) -> None:
        match step:
            case Commit():
                await self._commit(stock, step)
            case Read():
                await self._read(stock)
            case Block():
                await self._block(stock, step)

    async def _read(self, stock: Stock) -> None:
        if self._levels and self._levels[-1].doomed:
            return
        rows = await select(Products).order_by(Products.id).all(stock)
        self.seen = [*rows, *self.seen][:6]

    # -- commits -------------------------------------------------------------------------------------------------------

    async def _commit(self, stock: Stock, step: Commit) -> None:
        doomed = bool(self._levels) and self._levels[-1].doomed
        known = self.state.once.get(step.once) if step.once is not None else None
        written = known[0] if known is not None and step.again else resolved(step.writes, self.state, self.seen)
        changes = Stock.change()
        refs = built(written, changes)
        told = foretold(written, self.state)
        allowed = _allowed(told.refusals, written)
        if known is not None and changes:
            allowed = set() if known[0] == written else {OnceConflict}
        if doomed and changes:
            allowed = {RolledBack}
        try:
            result = await changes.commit(stock, once=step.once)
        except MapperError as error:
            if type(error) not in allowed:
                raise AssertionError(f"{error!r}, expected one of {allowed}") from error
            if self._levels:
                self._levels[-1].doomed = True
            if step.caught and self._levels:
                return
            raise
        assert not allowed, f"it had to fail: {allowed}"
        if not changes:
            return
        keys = [result.get(each) for each in refs]
        counts = Counts(result.inserted, result.updated, result.deleted, result.ignored)
        if known is not None:
            assert (keys, counts) == known[1]
            return
        assert counts == told.counts
        told.settle(keys)
        self.state.become(told.state)
        if step.once is not None:
            self.state.once[step.once] = (written, (keys, counts))

    # -- blocks --------------------------------------------------------------------------------------------------------

    async def _block(self, stock: Stock, step: Block) -> None:
        self._number += 1
        number, outer = self._number, self._levels[-1] if self._levels else None
        doomed = outer is not None and outer.doomed
        level = _Level(self.state.copied(), self.seen)
        work = self._work(step, number, level)
        try:
            if step.run:
                await stock.run(work, retries=0)
            else:
                async with stock.transaction() as tx:
                    await work(tx)
        except (MapperError, Planned) as error:
            self._undone(level)
            self._require_reason(error, step, level, doomed=doomed)
            raise
        finally:
            if level in self._levels:
                self._levels.remove(level)
        assert not level.doomed, "a doomed block ended as if all were well"
        assert not step.fails
        assert not doomed
        if outer is None:
            self.expected.extend([("committed", each) for each in level.waiting])
        else:
            outer.waiting.extend(level.waiting)

    def _work(self, step: Block, number: int, level: _Level) -> Callable[[Stock], Any]:
        async def work(tx: Stock) -> None:
            self._levels.append(level)
            tx.after_commit(lambda: self.called.append(("committed", number)))
            tx.after_rollback(lambda: self.called.append(("undone", number)))
            level.waiting.append(number)
            for each in step.steps:
                try:
                    await self._do(tx, each)
                except Planned:
                    pass  # of an inner block, which keeps it to itself
                except MapperError:
                    if not isinstance(each, Block) or level.doomed:
                        raise
                await self._compare(tx)
            if step.fails:
                raise Planned

        return work

    def _undone(self, level: _Level) -> None:
        self.state.become(level.before)
        self.seen = level.seen
        self.expected.extend([("undone", each) for each in level.waiting])

    def _require_reason(self, error: Exception, step: Block, level: _Level, *, doomed: bool) -> None:
        """A block fails by its own exception, or because something in it failed."""
        if isinstance(error, Planned):
            assert step.fails
        elif isinstance(error, RolledBack):
            assert level.doomed or doomed
        else:
            assert level.doomed


def _allowed(refusals: set[type[MapperError]], written: Sequence[Resolved]) -> set[type[MapperError]]:
    """Return the errors that a commit may end with. Of several writes it is not said which is found first."""
    if not refusals or len(written) == 1:
        return refusals
    return {CheckViolation, ForeignKeyViolation, MissingRow, StaleRow, UniqueViolation}
