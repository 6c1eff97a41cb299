"""TLS: who is trusted, who is refused, and what is said of it. A proxy speaks it in front of the server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from gateways.postgres import PostgresGateway
from mapper.errors import CannotConnect
from mapper.operations import RawSql
from tests.postgres.backends import NAME, busy, settled
from tests.servers import Proxy

pytestmark = pytest.mark.feature("T28")


class Certificates:
    """An authority, a certificate of it for `localhost`, and another authority; as contexts and as files."""

    def __init__(self, directory: Path) -> None:
        self.authority, self.other = trustme.CA(), trustme.CA()
        self.server = self.context(self.authority.issue_cert("localhost"))
        self.root = self._written(directory / "root.pem", self.authority.cert_pem)
        self.wrong_root = self._written(directory / "wrong.pem", self.other.cert_pem)
        client = self.authority.issue_cert("client@example.org")
        self.certificate = self._written(directory / "client.pem", client.cert_chain_pems[0])
        self.key = self._written(directory / "client.key", client.private_key_pem)

    @staticmethod
    def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    @staticmethod
    def _written(path: Path, blob: trustme.Blob) -> str:
        blob.write_to_path(path)
        return str(path)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def proxy(postgres_url: str, certificates: Certificates) -> AsyncIterator[Proxy]:
    async with Proxy.before(postgres_url, tls=certificates.server) as proxy:
        yield proxy


@pytest.fixture
def url(proxy: Proxy, postgres_url: str) -> str:
    return proxy.url_of(postgres_url).replace("127.0.0.1", "localhost")


async def is_encrypted(url: str, **keywords: object) -> bool:
    """Connect, and return whether the connection is encrypted."""
    async with PostgresGateway(url, connect_timeout=5, **keywords) as gateway, gateway.connection() as connection:  # type: ignore[arg-type]  # of several types
        assert await connection.driver.fetchval("SELECT 1") == 1
        return connection.driver._transport.get_extra_info("ssl_object") is not None


@pytest.mark.parametrize(
    ("mode", "encrypted"),
    [("disable", False), ("allow", False), ("prefer", True), ("require", True), (None, True)],
)
async def test_mode_decides_whether_it_is_encrypted(url: str, mode: str | None, encrypted: bool):
    assert await is_encrypted(url, sslmode=mode) is encrypted


async def test_mode_allow_encrypts_where_the_server_insists(postgres_url: str, certificates: Certificates):
    async with Proxy.before(postgres_url, tls=certificates.server, insists=True) as proxy:
        assert await is_encrypted(proxy.url_of(postgres_url), sslmode="allow")
        with pytest.raises(CannotConnect, match=r"(?s)no encryption.*sslmode=require"):
            await is_encrypted(proxy.url_of(postgres_url), sslmode="disable")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_server_signed_by_the_authority_is_trusted(url: str, certificates: Certificates, mode: str):
    assert await is_encrypted(f"{url}?sslmode={mode}&sslrootcert={certificates.root}")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_server_signed_by_another_authority_is_refused(url: str, certificates: Certificates, mode: str):
    with pytest.raises(CannotConnect, match=r"(?s)certificate verify failed.*sslrootcert"):
        await is_encrypted(url, sslmode=mode, sslrootcert=certificates.wrong_root)


async def test_host_that_is_not_in_the_certificate_is_refused_by_verify_full(url: str, certificates: Certificates):
    by_number = url.replace("localhost", "127.0.0.1")
    with pytest.raises(CannotConnect, match=r"(?s)127\.0\.0\.1.*verify-full needs the host's name"):
        await is_encrypted(by_number, sslmode="verify-full", sslrootcert=certificates.root)
    assert await is_encrypted(by_number, sslmode="verify-ca", sslrootcert=certificates.root)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_server_without_tls_is_refused_where_it_is_required(
    postgres_url: str, certificates: Certificates, mode: str
):
    with pytest.raises(CannotConnect, match=r"(?s)rejected SSL upgrade.*the server has no TLS"):
        await is_encrypted(postgres_url, sslmode=mode, sslrootcert=certificates.root)


async def test_server_without_tls_is_taken_where_it_is_preferred(postgres_url: str):
    assert not await is_encrypted(postgres_url, sslmode="prefer")


async def test_context_of_ones_own_is_used(url: str, certificates: Certificates):
    context = ssl.create_default_context()
    with pytest.raises(CannotConnect, match="certificate verify failed"):
        await is_encrypted(url, ssl=context)
    certificates.authority.configure_trust(context)
    assert await is_encrypted(url, ssl=context)


async def test_authorities_of_the_system_are_trusted_and_no_others(
    url: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(CannotConnect, match="certificate verify failed"):
        await is_encrypted(url, sslrootcert="system")
    monkeypatch.setenv("SSL_CERT_FILE", certificates.root)
    assert await is_encrypted(f"{url}?sslmode=verify-full&sslrootcert=system")
    with pytest.raises(CannotConnect, match=r"127\.0\.0\.1"):
        await is_encrypted(url.replace("localhost", "127.0.0.1"), sslrootcert="system")


@pytest.mark.parametrize("root", ["file", "system"])
async def test_client_shows_its_certificate(
    postgres_url: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, root: str
):
    monkeypatch.setenv("SSL_CERT_FILE", certificates.root)
    context = certificates.context(certificates.authority.issue_cert("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # a later one tells of a missing certificate after the handshake
    certificates.authority.configure_trust(context)
    trust = {"sslmode": "verify-full", "sslrootcert": certificates.root if root == "file" else "system"}
    async with Proxy.before(postgres_url, tls=context) as proxy:
        url = proxy.url_of(postgres_url).replace("127.0.0.1", "localhost")
        assert await is_encrypted(url, sslcert=certificates.certificate, sslkey=certificates.key, **trust)
        with pytest.raises(CannotConnect):
            await is_encrypted(url, **trust)


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey"])
async def test_file_that_is_missing_is_named(url: str, name: str):
    with pytest.raises(CannotConnect, match=f"{name} is '/nowhere.pem', which is no file"):
        await is_encrypted(url, sslmode="require", **{name: "/nowhere.pem"})


async def test_file_that_is_no_certificate_is_told(url: str, tmp_path: Path):
    path = tmp_path / "root.pem"
    path.write_text("no certificate")
    with pytest.raises(CannotConnect, match=r"(?s)cannot connect to.*HINT"):
        await is_encrypted(url, sslmode="verify-ca", sslrootcert=str(path))


async def test_operations_run_over_tls_and_a_lost_server_is_seen(url: str, proxy: Proxy):
    async with PostgresGateway(url, sslmode="require") as gateway:
        assert (await gateway.execute(RawSql("SELECT 1"))).rows == [(1,)]
        await proxy.drop()
        assert (await gateway.execute(RawSql("SELECT repeat('x', 1000000)"))).count == 1


async def test_cancelled_read_ends_at_the_server_over_tls_too(url: str, postgres_url: str):
    async with PostgresGateway(url, sslmode="require", application_name=NAME) as gateway:
        task = asyncio.ensure_future(gateway.execute(RawSql("SELECT pg_sleep(30)")))
        await busy(postgres_url, 1)
        task.cancel()
        async with asyncio.timeout(2):
            await asyncio.wait([task])
        await settled(postgres_url, 0)
        assert (await gateway.execute(RawSql("SELECT 1"))).rows == [(1,)]
