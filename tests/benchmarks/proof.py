"""What proving an outsider costs: the workers' CPU for a message, and how many messages of a day's mix need it at all.

Messages go straight to the milter's socket, one session, so that nothing but the filter is measured; keys and SPF
records come from a DNS server on loopback. One worker, the shipped policy without its storm guard. A message that
isn't answered as foreseen is a `RuntimeError`: what was refused is no figure.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import interleaved
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.processes import cpu_seconds
from tests.support.milter_client import MilterClient
from tests.support.moderated import CALM
from tests.support.office import ALICE, COMMERCIAL, CONTACT, OFFICE, PIERRE, group, member
from tests.support.service import Service
from tests.support.signing import Signer

OPEN, PARTNERS = "ouvert@masociete.example", "partenaires@masociete.example"
OUTSIDER = "203.0.113.9"
SIGNED, BY_ADDRESS = "signed.example", "by-address.example"
NEW_DOMAINS = [f"new{number}.example" for number in range(3_000)]
DATE = b"Date: Thu, 26 Nov 2026 10:00:00 +0000\r\n\r\n"
LINE = b"0123456789 abcdefghij 0123456789 abcdefghij 0123456789 abcdefghij 0123456\r\n"
EXTRA = "".join(
    (
        group("ouvert", "dgRequireAuthentication: FALSE", *member("pierre", "bob")),
        group(
            "partenaires",
            *(f"dgExternalSender: @{domain}" for domain in (SIGNED, BY_ADDRESS, *NEW_DOMAINS)),
            *member("pierre", "bob"),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: messages of one run by their size in octets, runs, messages of the mix."""

    messages: Mapping[int, int]
    rounds: int
    mix: int


FULL = Sizes({2_000: 200, 1_000_000: 40}, 3, 1_000)
QUICK = Sizes({2_000: 30, 1_000_000: 8}, 1, 50)
NAMES = {2_000: "2 KB", 1_000_000: "1 MB"}


@dataclass(frozen=True, slots=True)
class Mail:
    """One kind of mail: who sends it to whom, whether it is signed, and by what the client hears it is taken."""

    to: str
    sender: str = f"client@{SIGNED}"
    login: str = ""
    signed: bool = False
    accepted: bool = True


KINDS = {
    "to a person": Mail(PIERRE),
    "to an open group, not signed": Mail(OPEN),
    "to an open group, signed": Mail(OPEN, signed=True),
    "of a login": Mail(CONTACT, ALICE, "alice"),
    "proven by DKIM": Mail(PARTNERS, signed=True),
    "proven by SPF": Mail(PARTNERS, f"client@{BY_ADDRESS}"),
}
ALL_NEW = "proven by DKIM, each of a new domain"
DAY: Mapping[str, tuple[int, Mail]] = {
    "outsiders to persons": (45, Mail(PIERRE)),
    "logins to persons": (20, Mail(PIERRE, ALICE, "alice")),
    "logins to groups": (15, Mail(CONTACT, ALICE, "alice")),
    "outsiders to open groups": (8, Mail(OPEN, signed=True)),
    "outsiders to internal groups, refused": (5, Mail(CONTACT, signed=True, accepted=False)),
    "outsiders to moderated groups": (4, Mail(COMMERCIAL, signed=True)),
    "partners to groups that know them": (3, Mail(PARTNERS, signed=True)),
}
"""The mix: how many of a hundred messages are of which kind."""


@dataclass
class House:
    """What runs, and the signed texts."""

    service: Service
    signer: Signer
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    new: Iterator[str] = field(default_factory=lambda: iter(NEW_DOMAINS))

    def message(self, mail: Mail, size: int) -> bytes:
        """A message of about this size; every one has another Message-ID, which isn't signed."""
        head = f"From: <{mail.sender}>\r\nTo: {mail.to}\r\nSubject: offer\r\n".encode() + DATE
        text = head + LINE * (size // len(LINE))
        signed = self.signer.craft(text) if mail.signed else text
        return b"Message-ID: <%d@test.example>\r\n" % next(self.numbers) + signed

    def send(self, session: MilterClient, mail: Mail, message: bytes) -> None:
        """Put a message to the milter."""
        outcome = session.send_message(mail.sender, [mail.to], message, login=mail.login or None)
        if outcome.accepted is not mail.accepted:
            raise RuntimeError(f"{mail}: {outcome.recipients} {outcome.last}")

    def worker(self) -> int:
        """The worker's process id."""
        (pid,) = self.service.processes("milter")
        return pid


def run(bench: Bench) -> Outcome:
    """CPU by kind and size, then the mix."""
    sizes, outcome = QUICK if bench.quick else FULL, Outcome()
    with _house(bench) as house:
        for size, messages in sizes.messages.items():
            _kinds(bench, house, outcome, size, messages, sizes.rounds)
        _new_domains(bench, house, outcome, sizes)
        _mix(bench, house, outcome, sizes.mix)
    return outcome


@contextmanager
def _house(bench: Bench) -> Iterator[House]:
    office = bench.directory() / "office.ldif"
    office.write_text(OFFICE.read_text("utf-8") + "\n" + EXTRA, "utf-8")
    signer = Signer(domain=SIGNED.encode())
    with Service(f"ldif:{office}", options={"policies": [str(CALM)]}, workers=1) as service:
        signer.publish(service.dns, ttl=3600)
        service.dns.txt(BY_ADDRESS, f"v=spf1 ip4:{OUTSIDER} -all", ttl=3600)
        yield House(service, signer)


@contextmanager
def _session(house: House) -> Iterator[MilterClient]:
    """One session of a client that logs in, if it does, for all of its messages."""
    with MilterClient(house.service.milter) as session:
        session.connect(ip=OUTSIDER)
        session.helo()
        yield session


def _kinds(bench: Bench, house: House, outcome: Outcome, size: int, messages: int, rounds: int) -> None:
    prefix = f"proof/{NAMES[size]}"
    runs = {name: partial(_cost_of, house, mail, size, messages) for name, mail in KINDS.items()}
    for name, samples in interleaved(rounds, runs).items():
        bench.tell(f"{prefix}, {name}: {samples}")
        outcome.add(prefix, {name: samples}, "ms of CPU")
    for name in ("proven by DKIM", "proven by SPF"):
        outcome.compare(prefix, name, "to an open group, signed")


def _new_domains(bench: Bench, house: House, outcome: Outcome, sizes: Sizes) -> None:
    """Nothing of a domain is known when its message comes: a look-up each time."""
    (size, messages), *_ = sizes.messages.items()
    samples = [
        _cost(house, [_of_a_new_domain(house, size) for _ in range(messages)]) for _ in range(sizes.rounds)
    ]
    bench.tell(f"proof/{NAMES[size]}, {ALL_NEW}: {samples}")
    outcome.add(f"proof/{NAMES[size]}", {ALL_NEW: samples}, "ms of CPU")
    outcome.compare(f"proof/{NAMES[size]}", ALL_NEW, "proven by DKIM")


def _of_a_new_domain(house: House, size: int) -> tuple[Mail, bytes]:
    domain = next(house.new)
    signer = Signer(domain=domain.encode())
    signer.publish(house.service.dns)
    mail = Mail(PARTNERS, f"client@{domain}", signed=True)
    return mail, House(house.service, signer, house.numbers).message(mail, size)


def _cost_of(house: House, mail: Mail, size: int, messages: int) -> float:
    return _cost(house, [(mail, house.message(mail, size)) for _ in range(messages)])


def _cost(house: House, messages: list[tuple[Mail, bytes]]) -> float:
    """Return the worker's CPU for one of these messages, in milliseconds."""
    before = cpu_seconds(house.worker())
    with _session(house) as nobody, _session(house) as somebody:
        for mail, message in messages:
            house.send(somebody if mail.login else nobody, mail, message)
    return 1000 * (cpu_seconds(house.worker()) - before) / len(messages)


def _mix(bench: Bench, house: House, outcome: Outcome, messages: int) -> None:
    """A day's mail in an order of chance, always the same one; the log tells for which a proof was looked for."""
    weights = [weight for weight, _ in DAY.values()]
    chosen = random.Random(4).choices(list(DAY), weights, k=messages)
    known = len(house.service.lines("message"))
    cost = _cost(house, [(DAY[name][1], house.message(DAY[name][1], 2_000)) for name in chosen])
    lines = house.service.lines("message")[known:]
    proven = sum(line["proof_seconds"] is not None for line in lines)
    shares = {"with a group": 100 * len(lines) / messages, "needed a proof": 100 * proven / messages}
    bench.tell(f"proof/mix: {cost:.2f} ms a message, {shares}")
    outcome.add("proof/mix", {"2 KB": [cost]}, "ms of CPU")
    outcome.add("proof/mix", {name: [share] for name, share in shares.items()}, "% of messages")
