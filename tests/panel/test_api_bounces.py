"""Members whose mail fails, by the API: for administrators, each of what concerns his groups."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.membership.offices import GROUPS, JEAN
from tests.panel.calling import ADMINISTRATOR, calling, problem
from tests.panel.house import ADMINISTRATORS, House, house

from groupmilter.moderation.bounce_book import Failed, Suspension
from groupmilter.moderation.item import DESK
from groupmilter.panel.api.access import Scope

CONTACT, SUPPORT = "contact@masociete.example", "support@masociete.example"
GONE, SLOW = "gone@elsewhere.example", "slow@elsewhere.example"


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house in which zoe administers one branch only, below which no more than `CONTACT` stands."""
    branch = f"cn=contact,{GROUPS}"
    more = (
        f"panel:\n  administrators:\n    - {{group: '{ADMINISTRATORS}'}}\n"
        f"    - {{group: 'cn=projet-arctique,{GROUPS}', base: '{branch}'}}\n"
    )
    with house(tmp_path_factory.mktemp("parted"), more) as made:
        book, now = made.parts.ledger.bounces, int(made.parts.now())
        book.suspend(Suspension(GONE, now, 0, 0, "desk", SUPPORT, "550 no"), DESK)
        for number, group in enumerate((CONTACT, SUPPORT)):
            book.count(Failed(f"t{number}", SLOW, "f", group, group, "temporary", "4.2.2", "full", now, now))
        yield made


def test_who_administers_everything_sees_all_and_resumes(parted: House) -> None:
    with calling(parted, ADMINISTRATOR) as api:
        found = {each["address"]: each for each in api.get("/bounces").json()["items"]}
        assert (found[GONE]["state"], found[GONE]["why"]) == ("suspended", "550 no")
        assert (found[SLOW]["messages"], found[SLOW]["groups"]) == (2, [CONTACT, SUPPORT])
        only = api.get("/bounces", params={"suspended": "true"}).json()
        assert [each["address"] for each in only["items"]] == [GONE]
        story = api.get("/bounces/gone@ELSEWHERE.example").json()
        assert [each["action"] for each in story["history"]] == ["suspend"]
        assert len(api.get(f"/bounces/{SLOW}").json()["failures"]) == 2
        assert api.post(f"/bounces/{GONE}/resume").json()["state"] == "failing"
        problem(api.post(f"/bounces/{GONE}/resume"), 409, "refused")
        row = parted.parts.ledger.audit(action="resume")[-1]
        assert (row.way, row.group) == ("api", SUPPORT)
        back = api.post(f"/bounces/{GONE}/suspend", json={"reason": "asked for it"})
        assert (back.json()["state"], back.json()["why"]) == ("suspended", "asked for it")
        problem(api.post(f"/bounces/{GONE}/suspend", json={}), 409, "refused")
        problem(api.post(f"/bounces/{JEAN}/suspend", json={}), 409, "refused")
        problem(api.post("/bounces/no address/suspend", json={}), 422, "invalid")
        assert api.post(f"/bounces/{GONE}/resume").status_code == 200
        parted.parts.ledger.bounces.suspend(Suspension(GONE, 1, 0, 0, "desk", SUPPORT, "550 no"), DESK)


def test_who_administers_a_part_sees_that_part(parted: House) -> None:
    with calling(parted, "zoe") as zoe:
        [seen] = zoe.get("/bounces").json()["items"]
        assert (seen["address"], seen["groups"]) == (SLOW, [CONTACT])
        assert [each["group"] for each in zoe.get(f"/bounces/{SLOW}").json()["failures"]] == [CONTACT]
        for call in (zoe.get(f"/bounces/{GONE}"), zoe.post(f"/bounces/{GONE}/resume")):
            problem(call, 404, "not-found")
        problem(zoe.post(f"/bounces/{SLOW}/suspend", json={}), 403, "forbidden")
    assert parted.parts.ledger.bounces.suspension(GONE) is not None


def test_it_is_nobody_elses_business(parted: House) -> None:
    with calling(parted, "alice") as alice:
        for call in (
            alice.get("/bounces"), alice.get(f"/bounces/{SLOW}"), alice.post(f"/bounces/{GONE}/resume"),
            alice.post(f"/bounces/{GONE}/suspend", json={}),
        ):  # fmt: skip
            problem(call, 403, "forbidden")
    with calling(parted, ADMINISTRATOR, [Scope.READ]) as api:
        problem(api.post(f"/bounces/{GONE}/resume"), 403, "not-in-scope")
