"""A certificate authority made on the spot, for tests of TLS.

Everything comes from the openssl command (openssl-req(1), openssl-x509(1)); keys are P-256, and all is valid
for two days.
Fails with subprocess.CalledProcessError, whose stderr holds openssl's words.
"""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A PEM certificate and its unencrypted PEM key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a directory of its own; its certificate is what clients have to trust."""

    directory: Path
    name: str = "groupmilter test CA"

    @property
    def certificate(self) -> Path:
        """The PEM file for `ca_certs_file`, TLS_CACERT and the like."""
        return self.directory / "ca.pem"

    def create(self) -> "Authority":
        """Make the authority's key and self-signed certificate, and return the authority."""
        self.directory.mkdir(parents=True, exist_ok=True)
        _openssl(
            "req",
            "-x509",
            *_KEY,
            "-days",
            "2",
            "-subj",
            f"/CN={self.name}",
            "-keyout",
            str(self._key),
            "-out",
            str(self.certificate),
        )
        return self

    def issue(
        self, name: str, alternatives: str = "IP:127.0.0.1,DNS:localhost", days: int = 2
    ) -> Certificate:
        """Issue a certificate; `alternatives` is a subjectAltName as openssl writes it, `days` below 0: it is over."""
        issued = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n", encoding="ascii")
        _openssl(
            "req", "-new", *_KEY, "-subj", f"/CN={name}", "-keyout", str(issued.key), "-out", str(request)
        )
        _openssl(
            "x509",
            "-req",
            "-in",
            str(request),
            "-days",
            str(days),
            "-extfile",
            str(extensions),
            "-CA",
            str(self.certificate),
            "-CAkey",
            str(self._key),
            "-CAcreateserial",
            "-out",
            str(issued.certificate),
        )
        return issued

    @property
    def _key(self) -> Path:
        return self.directory / "ca.key"


def client_context(certificate: Certificate | None = None) -> ssl.SSLContext:
    """The client's side of TLS, with its own certificate if one is given; the server's is not looked at."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True)
