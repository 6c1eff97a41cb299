"""
The stores that are compared: memory, SQLite and PostgreSQL, each with the same rows in it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import attrs
import pytest_asyncio

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.alike.data import Author, Authors, Book, Books, Content, Library, Loan, Loans
from tests.servers.fixtures import Databases


@attrs.define
class Stores:
    """
    The stores, by the names of their gateways.

    Attributes:
        libraries: One on each gateway.
        content: The rows that are in all of them; None where they may differ.
    """

    libraries: dict[str, Library]
    content: Content | None = None

    async def fill(self, content: Content) -> None:
        """Give every store these rows and no others, where it has not got them."""
        if self.content == content:
            return
        self.content = None
        for library in self.libraries.values():
            await refill(library, content)
        self.content = content


async def refill(library: Library, content: Content) -> None:
    """Replace all rows of a store."""
    changes = Library.change()
    changes.deletes(Authors).everywhere()
    changes.deletes(Books).everywhere()
    changes.deletes(Loans).everywhere()
    await changes.commit(library)
    changes = Library.change()
    authors, books, loans = changes.inserts(Authors), changes.inserts(Books), changes.inserts(Loans)
    for key, *rest in content.authors:
        authors.push(Author(*rest), Authors.id.to(key))
    for key, *rest, author, parent in content.books:
        books.push(Book(*rest), Books.id.to(key), Books.author_id.to(author), Books.parent_id.to(parent))
    for book, number, *rest in content.loans:
        loans.push(Loan(*rest), Loans.book_id.to(book), Loans.number.to(number))
    await changes.commit(library)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(databases: Databases) -> AsyncIterator[Stores]:
    """The three stores, for all tests of a module."""
    url = await databases.create()
    gateways: list[Gateway] = [MemoryGateway(), SQLiteGateway(":memory:"), PostgresGateway(url)]
    async with AsyncExitStack() as stack:
        libraries = {each.name: Library(await stack.enter_async_context(each)) for each in gateways}
        for library in libraries.values():
            await library.push_schema()
        yield Stores(libraries)
    await databases.drop(url)
