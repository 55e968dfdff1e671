"""Messages that two independent signers have signed in every way, and what becomes of their signatures.

    with Signers() as signers:
        signed = signers.sign(letter("plain", mark))
        assert signers.broken(what_the_member_got) == []

One message bears a signature for each canonicalisation by either signer (dkimpy and OpenDKIM) and one with Ed25519,
each with a selector of its own; OpenDKIM verifies them all. Fails with what the signers fail with.
"""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import dkim
from tests.support.opendkim import Verifier, opendkim, sign, signing

DOMAIN = "outside.example"
_SEALER = "dkimpy-relaxed-relaxed"
CANONICALIZATIONS = [(head, body) for head in ("relaxed", "simple") for body in ("relaxed", "simple")]
USUAL = ("from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version", "content-type")
"""What a careful signer names once more than there is of it, so that nobody can add another."""
_NEVER_SIGNED = {b"return-path", b"bcc", b"resent-bcc", b"content-length", b"received"}
"""What Postfix takes away from all mail (postconf(5), message_drop_headers), and what dkimpy won't sign."""

HEAD = (
    b'From: "Client, the MARK" <client@outside.example>\r\nTo: ouvert@masociete.example\r\nSubject: offer MARK\r\n'
    b"Date: Thu, 26 Nov 2026 10:00:00 +0100\r\nMessage-ID: <MARK@test.example>\r\nMIME-Version: 1.0\r\n\r\n"
)
_ODD = (
    b"From:client@outside.example (MARK)\r\nTO:  ouvert@masociete.example  \r\nSubject: a\r\n\tb MARK\r\n  c \t \r\n"
    b"Message-ID: <MARK@test.example>\r\nx-eMPTY:\r\nX-Blank: \r\nX-Tabs:\t\tx\t\r\nX-Same: 1\r\nX-Same: 2\r\n"
    b"X-Raw: r\xe9union \xc3\xa9t\xc3\xa9\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\nCc: unqualified\r\n"
    b"Received: from nowhere by somewhere; Thu, 26 Nov 2026 09:59:59 +0100\r\n"
    b"Delivered-To: hold+forged@groups.masociete.example\r\nX-Original-To: somebody@outside.example\r\n\r\n"
)
_FOLDED = (
    b"From: =?utf-8?q?Cl=C3=A9ment?=\r\n MARK <client@outside.example>\r\nTo: ouvert@masociete.example,\r\n\t"
    b"b@x.example,\r\n c@x.example\r\nSubject: =?utf-8?q?une_=C3=A9t=C3=A9?=\r\n =?utf-8?q?_encore?= MARK\r\n"
    b"References: " + b"\r\n ".join(b"<reference-%d@outside.example>" % n for n in range(30)) + b"\r\n"
    b"Date: Thu, 26 Nov 2026 10:00:00 +0100\r\nMessage-ID:\r\n <MARK@test.example>\r\n"
    b"X-Long: " + b"x" * 900 + b"\r\n\r\n"
)
_UTF8 = (
    "From: Jürgen MARK <jürgen@outside.example>\r\nTo: équipe@masociete.example\r\nSubject: Grüße MARK\r\n"
    "Message-ID: <MARK@test.example>\r\n\r\nschön\r\n"
).encode()
_PARTS = (
    b'Content-Type: multipart/mixed; boundary="=_x"\r\n\r\n'
    b"preamble\r\n--=_x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"\xe9t\xe9\r\n--=_x\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\nSubject: inner\r\n\r\ninner\r\n"
    b"--=_x\r\nContent-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"AAECAw==\r\n--=_x--\r\nepilogue\r\n"
)
LETTERS: Mapping[str, bytes] = {
    "plain": HEAD + b"hello\r\n",
    "8-bit": HEAD + b"caf\xe9 \xff\xfe \xc3\xa9t\xc3\xa9\r\n",
    "dots": HEAD + b".\r\n..\r\n.x\r\n...\r\n.\r\n\r\n.\r\n",
    "white space at the ends of lines": HEAD + b"a \r\n\tb\t \r\n   \r\nc  d\r\n",
    "blank lines at both ends": HEAD + b"\r\n\r\n\r\nx\r\n\r\n\r\n\r\n",
    "no body": HEAD,
    "no line end at the end": HEAD + b"last line",
    "long lines": HEAD + b"x" * 998 + b"\r\n" + b"y" * 5000 + b"\r\n",
    "From at the start of a line": HEAD + b"From here on\r\n>From there\r\nFrom a@b.example Thu\r\n",
    "several parts": HEAD.removesuffix(b"\r\n") + _PARTS,
    "an odd header": _ODD + b"odd\r\n",
    "a folded header": _FOLDED + b"folded\r\n",
    "beyond ASCII": _UTF8,
    "neither Date, Message-ID nor To": b"From: MARK <client@outside.example>\r\nSubject: bare MARK\r\n\r\nbare\r\n",
}


def letter(name: str, mark: str) -> bytes:
    """Return one of `LETTERS`, not signed yet, with its mark in From, Subject and, if it has one, the Message-ID.

    Every signature covers From, so no two letters ever bear the same one: the rule ``replay`` would hold the second.
    """
    return LETTERS[name].replace(b"MARK", mark.encode())


def names(message: bytes) -> tuple[str, ...]:
    """Return the lower-case names of all fields of a message, as often as they are there; save what nobody signs."""
    lines = message.partition(b"\r\n\r\n")[0].split(b"\r\n")
    found = [line.partition(b":")[0].lower() for line in lines if not line.startswith((b" ", b"\t"))]
    return tuple(name.decode("ascii") for name in found if name not in _NEVER_SIGNED)


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    """Return what openssl(1) answers; raises `subprocess.CalledProcessError`."""
    command = ["openssl", *arguments]
    return subprocess.run(command, input=given, check=True, capture_output=True).stdout


@dataclass
class Signers:
    """A domain that signs with everything there is, and the verifier of its signatures."""

    domain: str = DOMAIN
    records: dict[str, str] = field(default_factory=dict, init=False)
    verifier: Verifier = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack, init=False)
    _folder: Path = field(default=Path(), init=False)
    _key: bytes = field(default=b"", init=False)
    _theirs: list[str] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        try:
            self._folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="groupmilter-signing-")))
            self._key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def key_file(self) -> Path:
        """The RSA key, in PEM."""
        return self._folder / "rsa.pem"

    def sign(self, message: bytes) -> bytes:
        """Return the message with a signature of each kind on top."""
        covered = {("relaxed", "relaxed"): names(message), ("simple", "simple"): USUAL * 2}
        for address in self._theirs:
            message = sign(address, message)
        for way in CANONICALIZATIONS:
            message = self.sign_over(message, covered.get(way, ()), way)
        return message

    def sign_over(
        self, message: bytes, fields: tuple[str, ...], way: tuple[str, str] = ("relaxed", "simple")
    ) -> bytes:
        """Return the message with one signature of dkimpy's over exactly these fields (``h=``), From among them.

        :param fields: lower-case names; one too many forbids another. Nothing: what dkimpy signs by itself.
        """
        head, body = (word.encode() for word in way)
        included = tuple(name.encode() for name in fields) or None
        selector = f"dkimpy-{'-'.join(way)}"
        made = dkim.sign(
            message, selector.encode(), self.domain.encode(), self._key,
            canonicalize=(head, body), include_headers=included,
        )  # fmt: skip
        return made + message

    def seal(self, message: bytes, fields: tuple[str, ...] = ()) -> bytes:
        """Return the message with one more ARC set on top (RFC 8617), as a relay that passes it on puts it there.

        :param fields: lower-case names that the set's signature covers; what dkimpy signs by itself, if not said.
        """
        before, domain = message.count(b"ARC-Seal:"), self.domain.encode()
        relay = b"relay%d." % before + domain
        results = b"dkim=none; arc=pass" if before else b"dkim=none"
        seen = b"Authentication-Results: %s; %s\r\n" % (relay, results) + message
        included = [name.encode() for name in fields] or None
        made = dkim.arc_sign(seen, _SEALER.encode(), domain, self._key, relay, include_headers=included)
        return b"".join(made) + seen

    def chain(self, message: bytes) -> str:
        """Return what dkimpy says of the ARC sets of a message: ``pass``, ``fail`` or ``none``."""
        said = dkim.arc_verify(message, dnsfunc=self._record)[0]
        return "broken before" if said is None else said.decode("ascii")

    def _record(self, name: bytes, **_: object) -> bytes | None:
        text = self.records.get(name.decode("ascii").removesuffix("."))
        return text.encode() if text else None

    def broken(self, message: bytes, wanted: int = 0) -> list[str]:
        """Return what is wrong with the signatures of what a member got; nothing where every one of them holds.

        :param wanted: how many there have to be; all that `sign` makes, if not said.
        """
        results = self.verifier.results(message)
        bad = [f"{one.selector}: {one.verdict}" for one in results if one.verdict != "pass"]
        wanted = wanted or len(self.records)
        return bad if len(results) == wanted else [*bad, f"{len(results)} signatures, not {wanted}"]

    def _start(self) -> None:
        edwards = openssl("genpkey", "-algorithm", "ed25519")
        self._write("rsa.pem", self._key)
        public = {
            "rsa": openssl("pkey", "-pubout", "-outform", "DER", given=self._key),
            # RFC 8463 section 4: the 32 octets alone, without what DER puts before them.
            "ed25519": openssl("pkey", "-pubout", "-outform", "DER", given=edwards)[-32:],
        }
        oversigned = dict.fromkeys(("SignHeaders", "OversignHeaders"), ",".join(USUAL))
        more = {"relaxed-relaxed": {"SignHeaders": "From"}, "simple-simple": oversigned}
        for way in CANONICALIZATIONS:
            selector = "-".join(way)
            self._run(
                f"opendkim-{selector}",
                self.key_file,
                **more.get(selector, {}),
                Canonicalization="/".join(way),
            )
            self._publish(f"opendkim-{selector}", "rsa", public["rsa"])
            self._publish(f"dkimpy-{selector}", "rsa", public["rsa"])
        # OpenDKIM 2.11 doesn't verify its own Ed25519 signatures with a simple header.
        relaxed = {"SignatureAlgorithm": "ed25519-sha256", "Canonicalization": "relaxed/simple"}
        self._run("opendkim-ed25519", self._write("ed25519.pem", edwards), **relaxed)
        self._publish("opendkim-ed25519", "ed25519", public["ed25519"])
        self.verifier = self._stack.enter_context(Verifier(self.records))

    def _write(self, name: str, key: bytes) -> Path:
        path = self._folder / name
        path.touch(0o600)
        path.write_bytes(key)
        return path

    def _run(self, selector: str, key_file: Path, **settings: str) -> None:
        lines = signing(self.domain, selector, key_file, **settings)
        self._theirs.append(self._stack.enter_context(opendkim(lines)))

    def _publish(self, selector: str, kind: str, key: bytes) -> None:
        text = f"v=DKIM1; k={kind}; p={b64encode(key).decode()}"
        self.records[f"{selector}._domainkey.{self.domain}"] = text
