"""The proxy drops, stalls, delays and refuses where it is told to, and passes on what it is not."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.servers import Proxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that gives back what it is sent."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1000):
                writer.write(chunk)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.sleep(0.01)


@pytest.fixture
async def proxy(port: int) -> AsyncIterator[Proxy]:
    async with Proxy(port) as proxy:
        yield proxy


async def said(proxy: Proxy, *words: bytes) -> bytes:
    """Send words one after the other, and return what comes back until the connection ends or nothing comes any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    heard = b""
    try:
        for word in words:
            writer.write(word)
            async with asyncio.timeout(0.2):
                heard += await reader.readexactly(len(word))
    except asyncio.IncompleteReadError as error:
        heard += error.partial + b" end"
    except ConnectionResetError:
        heard += b" reset"
    except TimeoutError:
        heard += b" silence"
    finally:
        writer.close()
    return heard


async def test_bytes_pass(proxy: Proxy):
    big = b"x" * 300_000
    assert await said(proxy, b"one", b"two", big) == b"onetwo" + big
    assert proxy.accepted == 1


async def test_connection_is_dropped_after_so_many_bytes(proxy: Proxy):
    proxy.drop_after(5, "client")
    assert await said(proxy, b"one", b"two") == b"onetw end"
    assert await said(proxy, b"one") == b"one"


async def test_connection_is_reset_where_that_is_asked_for(proxy: Proxy):
    proxy.resets = True
    proxy.drop_after(2, "server")
    assert await said(proxy, b"one") in (b" reset", b"on reset")


@pytest.mark.parametrize(("forwards", "heard"), [(True, [b"one", b"COMMIT"]), (False, [b"one"])])
async def test_connection_is_dropped_at_a_pattern(port: int, forwards: bool, heard: list[bytes]):
    arrived: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1000):
            arrived.append(chunk)
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        proxy.drop_at(b"COMMIT", forwards=forwards)
        assert await said(proxy, b"one", b"COMMIT") == b"one end"
        await asyncio.sleep(0.01)
        assert arrived == heard
    server.close()


async def test_pattern_is_found_across_chunks(proxy: Proxy):
    proxy.drop_at(b"COMMIT")
    assert await said(proxy, b"one COM", b"MIT two") == b"one COM end"


async def test_pattern_that_has_passed_before_sets_nothing_off(proxy: Proxy):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"COMMIT")
    await reader.readexactly(6)
    proxy.drop_at(b"COMMIT")
    writer.write(b" and on")
    assert await reader.readexactly(7) == b" and on"
    writer.close()


async def test_nothing_passes_while_stalled_and_nothing_is_lost(proxy: Proxy):
    proxy.stall()
    task = asyncio.ensure_future(said(proxy, b"one"))
    await asyncio.sleep(0.05)
    assert not task.done()
    proxy.resume()
    assert await task == b"one"


async def test_stall_at_a_pattern_holds_until_resumed(proxy: Proxy):
    proxy.stall_at(b"two", forwards=False)
    assert await said(proxy, b"one", b"two") == b"one silence"
    proxy.resume()
    assert await said(proxy, b"two") == b"two"


async def test_stall_after_so_many_bytes(proxy: Proxy):
    proxy.stall_after(2, "client")
    assert await said(proxy, b"one") == b" silence"


async def test_delay_holds_every_chunk_back(proxy: Proxy):
    proxy.delay = 0.03
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await said(proxy, b"one") == b"one"
    assert loop.time() - began > 0.05


async def test_refused_until_accepted_again_at_the_same_port(proxy: Proxy):
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await said(proxy, b"one")
    await proxy.accept()
    assert (proxy.port, await said(proxy, b"one")) == (port, b"one")


async def test_hangs_up_at_once(proxy: Proxy):
    proxy.hangs_up = True
    assert await said(proxy, b"one") in (b" end", b" reset")


async def test_drop_closes_what_is_open(proxy: Proxy):
    task = asyncio.ensure_future(said(proxy, b"one"))
    proxy.stall("client")
    while not proxy.open:  # noqa: ASYNC110  # the proxy tells nobody
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    await proxy.drop()
    assert proxy.open == 0
    assert await task == b" end"


async def test_tls_is_spoken_to_clients_that_ask(port: int):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with Proxy(port, tls=context) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(bytes.fromhex("0000000804d2162f"))
        assert await reader.readexactly(1) == b"S"
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        await writer.start_tls(trusting, server_hostname="localhost")
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()


async def test_url_of_a_server_becomes_that_of_the_proxy(proxy: Proxy):
    assert proxy.url_of("postgresql://app:x@db:5432/d?a=1") == f"postgresql://app:x@127.0.0.1:{proxy.port}/d?a=1"
