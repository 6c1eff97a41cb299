"""
TLS: what the driver is told of it.

Settings go in; arguments of the driver's `connect` come out. Files are looked at when a connection is opened, so that
a gateway can be made before they are there, and certificates that are renewed are taken up.
"""

import os
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from gateways.postgres.settings import Settings
from mapper.errors import CannotConnect

__all__ = ["Tls"]

SYSTEM: Final = "system"
"""In the place of a file of authorities: those that the system trusts."""


class Tls:
    """The TLS of a gateway's connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = settings.ssl

    def arguments(self) -> dict[str, Any]:
        """
        Return the driver's arguments that are about TLS, with those options that it takes from a URL alone.

        Raises:
            CannotConnect: A file cannot be read.
            OSError: A file is none of a certificate or key.
        """
        settings = self._settings
        if settings.sslrootcert == SYSTEM and self._context is None:
            self._context = self._trusting_the_system()
        if self._context is not None:
            return {"ssl": self._context, **_in_url(settings.driver)}
        mode = {} if settings.sslmode is None else {"sslmode": settings.sslmode}
        return _in_url({**settings.driver, **mode, **self._files("sslrootcert", "sslcert", "sslkey")})

    def _files(self, *names: str) -> dict[str, str]:
        given = {name: path for name in names if (path := getattr(self._settings, name)) is not None}
        for name, path in given.items():
            if not (os.path.isfile(path) and os.access(path, os.R_OK)):
                raise CannotConnect(
                    f"{name} is {path!r}, which is no file that can be read", hint="give the path of a PEM file"
                )
        return given

    def _trusting_the_system(self) -> ssl.SSLContext:
        """Make a context that verifies certificate and host. It reads hundreds of authorities, and so is made once."""
        context = ssl.create_default_context()
        context.set_alpn_protocols(["postgresql"])
        files = self._files("sslcert", "sslkey")
        if files:
            password = self._settings.driver.get("sslpassword", "")
            context.load_cert_chain(files["sslcert"], files.get("sslkey"), password=lambda: password)
        return context


def _in_url(options: Mapping[str, str]) -> dict[str, Any]:
    return {"dsn": f"postgresql://?{urlencode(options, quote_via=quote)}"} if options else {}
