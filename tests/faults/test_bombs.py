"""Mail bombs get a verdict that stands, in little CPU time and memory: at the milter, and where they are held.

CPU time is measured, never the clock, and the most memory that a process ever had. A 4xx would be a failure: the
client would come again with the same message for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from tests.benchmarks.processes import cpu_seconds, memory
from tests.support.bombs import BOMBS
from tests.support.milter_client import MilterClient
from tests.support.moderated import CALM, Moderated, moderated
from tests.support.office import BOB, COMMERCIAL, GROUPS, OFFICE, PIERRE, group, identity, member
from tests.support.service import Service

SECONDS = 5.0
OCTETS = 200_000_000
MOST_OF_A_FIELD = 59_998
"""Postfix tells a milter no more of a field, name included (recorded with 3.7.11)."""


@dataclass
class Meter:
    """What the processes of a role have used since it was made."""

    service: Service
    role: str
    begun: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self.begun = {pid: cpu_seconds(pid) for pid in self.service.processes(self.role)}
        assert self.begun

    def read(self) -> tuple[float, int]:
        """CPU seconds and the most memory, in octets; the processes must be the same as before."""
        assert set(self.service.processes(self.role)) == set(self.begun), "a process has been replaced"
        used = sum(cpu_seconds(pid) - before for pid, before in self.begun.items())
        return used, max(one.peak for pid in self.begun for one in memory(pid))

    def is_little(self) -> bool:
        """Whether both are within what a message may cost."""
        seconds, octets = self.read()
        assert seconds < SECONDS, f"{self.role}: {seconds:.1f} s"
        assert octets < OCTETS, f"{self.role}: {octets:,} octets"
        return True


def as_told(message: bytes) -> bytes:
    """A message as Postfix tells it a milter: no field is longer than it keeps."""
    head, end, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    return b"\r\n".join(one[:MOST_OF_A_FIELD] for one in fields) + end + body


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(f"ldif:{OFFICE}", workers=1, desk=False) as running:
        yield running


@pytest.mark.parametrize("name", BOMBS)
def test_the_milter_s_verdict_stands(service: Service, name: str) -> None:
    meter = Meter(service, "milter")
    with MilterClient(service.milter) as client:
        client.connect(ip="203.0.113.9")
        client.helo()
        outcome = client.send_message("x@outside.example", [COMMERCIAL], as_told(BOMBS[name]()))
        client.quit()
    assert outcome.last is not None
    assert outcome.last.code in {250, 550, 552}
    assert meter.is_little()
    assert service.surprises() == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moderated]:
    policy = tmp_path_factory.mktemp("policies") / "letters.yaml"
    policy.write_text("moderation: {letters_per_hour: 1000}\n", "utf-8")
    with moderated(options={"policies": [str(CALM), str(policy)]}) as running:
        yield running


@pytest.mark.parametrize("name", BOMBS)
def test_a_held_bomb_costs_the_desk_little_and_goes_out(site: Moderated, name: str) -> None:
    """Through real Postfix: taken in, shown to its moderator in a letter, approved, delivered."""
    service, mark = site.installation.service, identity()
    meters = [Meter(service, role) for role in ("milter", "desk")]
    content = f"Message-ID: <{mark}@test.example>\r\n".encode() + BOMBS[name]()
    sent = site.installation.send("x@outside.example", [COMMERCIAL], content)
    if sent.end is not None and sent.end.code != 250:
        assert str(sent.end).startswith("552 5.2.3")
        return
    item = site.held(mark)
    reference = item.name.encode()
    site.until(
        lambda: any(reference in letter.content for letter in site.installation.sink.messages), "a letter"
    )
    site.decide(item)
    site.ended(item)
    site.copies(mark, [BOB, PIERRE])
    assert all(meter.is_little() for meter in meters)
    assert service.surprises() == []


NESTED, DENIED = 60, 10
BLIND = "rules: [{name: blind-copies-are-held, when: {bcc: true}, then: hold}]\n"


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Groups inside a group, for each of which a rule of the site's looks into the header."""
    folder = tmp_path_factory.mktemp("nest")
    denied = [f"dgDeniedSenderAddress: @.bad{n}.example" for n in range(DENIED)]
    inner = [
        group(f"g{n}", "dgRequireAuthentication: FALSE", *denied, *member("jean")) for n in range(NESTED)
    ]
    members = (f"member: cn=g{n},{GROUPS}" for n in range(NESTED))
    outer = group("nest", "dgRequireAuthentication: FALSE", *members)
    (folder / "office.ldif").write_text("\n".join((OFFICE.read_text("utf-8"), *inner, outer)), "utf-8")
    (folder / "blind.yaml").write_text(BLIND, "utf-8")
    options = {"policies": [str(folder / "blind.yaml")]}
    with Service(f"ldif:{folder}/office.ldif", options=options, workers=1, desk=False) as running:
        yield running


LOOKED_INTO = (
    "900 To fields of 25 in another script", "a To that names 4,000", "900 To fields", "a From of 800 authors",
    "900 From fields of 35 authors",
)  # fmt: skip


@pytest.mark.parametrize("name", LOOKED_INTO)
def test_rules_of_many_groups_that_look_into_a_bomb(nest: Service, name: str) -> None:
    meter = Meter(nest, "milter")
    to = [f"g{n}@masociete.example" for n in range(NESTED)]
    with MilterClient(nest.milter) as client:
        client.connect(ip="203.0.113.9")
        client.helo()
        outcome = client.send_message(
            "x@outside.example", ["nest@masociete.example", *to], as_told(BOMBS[name]())
        )
        client.quit()
    assert outcome.last is not None
    assert outcome.last.code in {250, 552}
    assert meter.is_little()
    assert nest.surprises() == []
