"""What is told of nested groups that refuse, against the chain itself: every sort of sender writes to every group."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.paper import Paper

from groupmilter.directory.mirror_cycles import turned
from groupmilter.directory.mirror_refusals import Comparison, Limits, refusals
from groupmilter.groups.expansion import Admission, Refusal, Taken, expand
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node, Person
from groupmilter.mail.address import Pattern, pattern
from groupmilter.policy.case import Case, Refuse
from groupmilter.policy.facts import Content, Facts, Identity, Strength
from groupmilter.policy.rules import RULES
from groupmilter.policy.settings import Settings

OWN = frozenset({"own.example"})
HOUSE = tuple(Pattern("", domain, below=False) for domain in OWN)
SITE = Settings(own_domains=OWN)
PATTERNS = ("@partner.example", "@.partner.example", "@sub.partner.example", "@own.example", "@other.example")
ADDRESSES = (
    "x@partner.example",
    "x@sub.partner.example",
    "x@any.partner.example",
    "x@other.example",
    "x@own.example",
    "x@nowhere.example",
)
SIZES = (0, 5500, 10_240_000)


@dataclass(frozen=True, slots=True)
class World:
    """Groups 0 to 4 with mail; each has a person of its own, numbered from 100; person 99 is in none."""

    groups: tuple[Group, ...]
    inside: dict[int, set[int]]
    paper: Paper

    def senders(self) -> list[Identity]:
        """Strangers with and without a proof, networks, and everybody of the house."""
        strangers = [Identity(claims=(address,)) for address in ADDRESSES]
        proven = [
            Identity(strength, address, None, (address,), dkim=True)
            for address in ADDRESSES
            for strength in (Strength.DMARC, Strength.NETWORK)
        ]
        return [
            *strangers,
            *proven,
            self._login(99),
            *(self._login(100 + n) for n in range(len(self.groups))),
        ]

    def _login(self, number: int) -> Identity:
        around = {group for group in range(len(self.groups)) if number - 100 in self.below(group)}
        address = f"p{number}@own.example"
        person = Person(Node(number), f"p{number}", f"uid={number}", address, address, (address,))
        nodes = frozenset(map(Node, {number, *around}))
        return Identity(Strength.LOGIN, address, person, (address,), nodes, nodes, (address,))

    def below(self, group: int) -> set[int]:
        found, waiting = {group}, [group]
        while waiting:
            new = self.inside[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    def met(self, root: Group, sender: Identity, size: int) -> set[tuple[int, str]]:
        """Return which nested groups refuse this sender's mail to a group, by which rule; none if it does itself."""
        facts = Facts(envelope_sender="x@x.example", identity=sender, size=size, content=Content())
        found: set[tuple[int, str]] = set()

        def admit(group: Group, _: bool) -> Admission | Refusal:
            for rule in ("disabled", "authentication", "allowed", "size"):
                outcome = RULES[rule](Case(group, facts, SITE)).outcome
                if isinstance(outcome, Refuse):
                    found.add((group.node, rule))
                    return Refusal(outcome.reply, rule)
            return Admission.EXPAND

        if isinstance(admit(root, False), Refusal):
            return set()
        expand(root, self.paper, admit, Taken(), 50, 1000, covered=False)
        return found


@st.composite
def worlds(draw: st.DrawFn) -> World:
    numbers = range(5)
    named = draw(st.booleans())
    texts = st.lists(st.sampled_from(PATTERNS), max_size=2, unique=True)
    nodes = st.frozensets(st.sampled_from(numbers), max_size=2)
    groups = tuple(
        Group(
            node=Node(number),
            uuid=f"g{number}",
            dn=f"cn=g{number}",
            address=f"g{number}@own.example",
            enabled=draw(st.sampled_from([True, True, True, False])),
            require_authentication=draw(st.booleans()),
            external_senders=tuple(filter(None, map(pattern, draw(texts)))),
            allowed=frozenset(map(Node, draw(nodes))) if named else frozenset(),
            allowed_addresses=() if named else tuple(filter(None, map(pattern, draw(texts)))),
            max_size=draw(st.sampled_from([None, None, 5000, 6000])),
        )
        for number in numbers
    )
    inside = {number: set(draw(st.frozensets(st.sampled_from(numbers), max_size=3))) for number in numbers}
    paper = Paper()
    for one in groups:
        own = paper.add_person(100 + one.node, f"p{100 + one.node}@own.example")
        paper.add_group(one, own, *(groups[number] for number in inside[one.node]))
    return World(groups, inside, paper)


def met(world: World, senders: list[Identity]) -> set[tuple[int, int, str]]:
    return {
        (root.node, *refusal)
        for root in world.groups
        for sender in senders
        for size in SIZES
        for refusal in world.met(root, sender, size)
    }


@settings(max_examples=60)
@given(worlds())
def test_what_is_told_is_what_senders_meet(world: World) -> None:
    """Every telling about senders has a sender who meets it; every refusal is told of some group on the way.

    Save where somebody is authenticated by a network that speaks for others: he belongs to no own domain.
    """
    rules = dict(enumerate(world.groups))
    found = list(
        refusals(world.inside, rules, Comparison(turned(world.inside), rules.keys(), HOUSE, Limits()))
    )
    told = {
        (root, inner, rule) for root, refusing in found for inner, why in refusing.items() for rule in why
    }
    senders = world.senders()
    unfounded = {one for one in told - met(world, senders) if one[2] in ("authentication", "allowed")}
    pairs = {(root, inner) for root, inner, _ in told}
    usual = [sender for sender in senders if sender.strength is not Strength.NETWORK]
    untold = {
        (root, inner, rule)
        for root, inner, rule in met(world, usual)
        if not any((above, inner) in pairs for above in world.below(root))
    }
    assert (unfounded, untold) == (set(), set())
