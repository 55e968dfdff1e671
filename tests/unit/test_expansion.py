"""Expansion over any graph: it ends, each receiver once, all or nothing."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paper import Paper

from groupmilter.groups.expansion import Admission, BoundExceeded, Expansion, Refusal, Taken, expand
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.mail.reply import reply


def group(number: int, *, moderated: bool = False, covers_nested: bool = False) -> Group:
    return Group(
        node=Node(number),
        uuid=f"g{number}",
        dn=f"cn={number}",
        address=f"g{number}@x.example",
        moderated=moderated,
        covers_nested=covers_nested,
    )


def everybody(_: Group, __: bool) -> Admission:
    return Admission.EXPAND


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Paper, Group]:
    paper = Paper()
    size = draw(st.integers(1, 12))
    groups = [group(number) for number in range(size)]
    people = [
        paper.add_person(100 + number, f"p{number}@x.example") for number in range(draw(st.integers(0, 12)))
    ]
    for one in groups:
        nested = draw(st.lists(st.sampled_from(groups), max_size=6))
        direct = draw(st.lists(st.sampled_from(people), max_size=6, unique=True)) if people else []
        paper.add_group(one, *nested, *direct)
    return paper, groups[0]


def reachable(paper: Paper, root: Group) -> set[str]:
    seen: set[Node] = set()
    stack = [root.node]
    found: set[str] = set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(paper.lists[node].groups)
            found.update(member.address for member in paper.lists[node].people)
    return found


@given(graphs())
def test_every_graph_ends_with_each_receiver_once(made: tuple[Paper, Group]) -> None:
    paper, root = made
    addresses = [m.address for m in expand(root, paper, everybody, Taken(), 50, 1000, False).members]
    assert len(addresses) == len(set(addresses))
    assert set(addresses) == reachable(paper, root)


@given(graphs(), st.integers(0, 3))
def test_past_the_bound_nobody_gets_anything(made: tuple[Paper, Group], limit: int) -> None:
    paper, root = made
    total = sum(len(paper.lists[node].people) for node in _walked(paper, root))
    if total > limit:
        with pytest.raises(BoundExceeded):
            expand(root, paper, everybody, Taken(), 50, limit, False)
    else:
        assert len(expand(root, paper, everybody, Taken(), 50, limit, False).members) <= limit


def _walked(paper: Paper, root: Group) -> set[Node]:
    seen: set[Node] = set()
    stack = [root.node]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(paper.lists[node].groups)
    return seen


def test_too_deep() -> None:
    paper = Paper()
    chain = [group(number) for number in range(52)]
    for outer, inner in pairwise(chain):
        paper.add_group(outer, inner)
    paper.add_group(chain[-1], "end@x.example")
    with pytest.raises(BoundExceeded):
        expand(chain[0], paper, everybody, Taken(), 50, 1000, False)
    assert len(expand(chain[1], paper, everybody, Taken(), 50, 1000, False).members) == 1


def test_taken_spans_a_persons_addresses() -> None:
    paper = Paper()
    jean = paper.add_person(1, "jean.dupont@x.example", "jean@x.example")
    root = paper.add_group(group(9), jean, "other@x.example")
    found = expand(root, paper, everybody, Taken({jean.node}), 50, 1000, False)
    assert [m.address for m in found.members] == ["other@x.example"]
    assert found.found == 2


def test_a_refused_branch_is_left_out() -> None:
    paper = Paper()
    inner = paper.add_group(group(2), "in@x.example")
    root = paper.add_group(group(1), inner, "out@x.example")
    no = Refusal(reply("550 5.7.2"), "allowed")

    def admit(_: Group, __: bool) -> Refusal:
        return no

    found = expand(root, paper, admit, Taken(), 50, 1000, False)
    assert ([m.address for m in found.members], found.refused) == (["out@x.example"], ((inner, no),))


@pytest.mark.parametrize("first", ["covering", "plain"])
def test_a_diamond_with_one_covered_path_is_covered(first: str) -> None:
    paper = Paper()
    inner = paper.add_group(group(4, moderated=True), "in@x.example")
    covering = paper.add_group(group(2, moderated=True, covers_nested=True), inner)
    plain = paper.add_group(group(3), inner)
    order = (covering, plain) if first == "covering" else (plain, covering)
    root = paper.add_group(group(1), *order)

    def admit(nested: Group, covered: bool) -> Admission:
        return Admission.HOLD if nested is inner and not covered else Admission.EXPAND

    found = expand(root, paper, admit, Taken(), 50, 1000, False)
    assert [m.address for m in found.members] == ["in@x.example"]
    assert found.holds == ()


def left_out(paper: Paper, root: Group, *addresses: str, taken: Taken | None = None) -> Expansion:
    return expand(
        root, paper, everybody, taken or Taken(), 50, 100, covered=False, suspended=frozenset(addresses)
    )


def test_suspended_members_are_left_out_and_named() -> None:
    paper, root, inner = Paper(), group(1), group(2)
    one, two, three = (paper.add_person(100 + n, f"p{n}@x.example") for n in range(3))
    paper.add_group(inner, two, three)
    paper.add_group(root, one, two, inner)
    found = left_out(paper, root, "p1@x.example", "p9@x.example")
    assert [member.address for member in found.members] == ["p0@x.example", "p2@x.example"]
    assert (found.suspended, found.found, found.empty) == (("p1@x.example",), 3 - 1, False)


def test_where_nobody_else_would_get_it_suspended_members_do() -> None:
    paper, root, inner = Paper(), group(1), group(2)
    one, two = (paper.add_person(100 + n, f"p{n}@x.example") for n in range(2))
    paper.add_group(inner, two)
    paper.add_group(root, one, inner)
    found = left_out(paper, root, "p0@x.example", "p1@x.example")
    assert [member.address for member in found.members] == ["p0@x.example", "p1@x.example"]
    assert (found.suspended, found.empty) == ((), False)


def test_a_member_who_is_addressed_otherwise_is_somebody_else() -> None:
    paper, root = Paper(), group(1)
    one, two = (paper.add_person(100 + n, f"p{n}@x.example") for n in range(2))
    paper.add_group(root, one, two)
    found = left_out(paper, root, "p0@x.example", taken=Taken(addresses={"p1@x.example"}))
    assert (found.members, found.suspended, found.empty) == ((), ("p0@x.example",), False)


def test_suspended_members_count_for_the_bound() -> None:
    paper, root = Paper(), group(1)
    people = [paper.add_person(100 + n, f"p{n}@x.example") for n in range(101)]
    paper.add_group(root, *people)
    with pytest.raises(BoundExceeded):
        left_out(paper, root, *(f"p{n}@x.example" for n in range(50)))
