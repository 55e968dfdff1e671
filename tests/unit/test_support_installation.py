"""Self-test: what lies in the hold mailbox is found while the desk moves it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.installation import OUTSIDER, Site
from tests.support.service import Service
from tests.support.sink import Sink
from tests.support.smtp_client import SmtpClient


@dataclass(frozen=True)
class Mailbox(Site):
    """A place with a hold mailbox, and no MTA."""

    def session(
        self, client: str = OUTSIDER, login: str = "", tls: ssl.SSLContext | None = None
    ) -> AbstractContextManager[SmtpClient]:
        raise NotImplementedError

    def submit(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("moves", [("Held", "Approved"), ("Approved", "Held"), ("Held", "Approved", "Held")])
def test_a_message_that_is_moved_just_then_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: tuple[str, ...]
) -> None:
    service = Service("ldif:/nowhere")
    service.folder = tmp_path
    places = [service.hold / f".{folder}" / "cur" / "1.a:2,S" for folder in moves]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    places[0].write_bytes(b"mail")
    read = Path.read_bytes

    def moving(path: Path) -> bytes:
        if len(places) > 1:
            places.pop(0).rename(places[0])
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", moving)
    assert Mailbox(service, Sink()).held() == [b"mail"]


def test_one_that_is_gone_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service("ldif:/nowhere")
    service.folder = tmp_path
    for name in ("1.a", "2.b"):
        (service.hold / "new").mkdir(parents=True, exist_ok=True)
        (service.hold / "new" / name).write_bytes(name.encode())
    read = Path.read_bytes

    def removing(path: Path) -> bytes:
        if path.name == "1.a":
            path.unlink(missing_ok=True)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", removing)
    assert Mailbox(service, Sink()).held() == [b"2.b"]
