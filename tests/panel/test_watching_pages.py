"""Status, explain, trace and account: what is shown to whom, and what nobody learns there."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.panel.house import House, csrf
from tests.panel.watching import held

from groupmilter.bootstrap.parts import mirror_age
from groupmilter.directory.ages import NEVER, Ages
from groupmilter.moderation.bounce_book import Failed, Suspension
from groupmilter.moderation.item import DESK, Event, Way, Who
from groupmilter.panel.ageing import drawn, history
from groupmilter.panel.charts import Axis, Point, columns, over_time, share
from groupmilter.panel.language import Words
from groupmilter.panel.reasons import RULES, known
from groupmilter.policy.rules import RULES as POLICY_RULES
from groupmilter.rehearsal.cases import read_files
from groupmilter.rehearsal.run import rehearse
from groupmilter.rehearsal.stage import Base, Stage

ADMINISTRATORS_ONLY = ("/status", "/status/findings?kind=empty-group", "/trace")
CASES = Path(__file__).resolve().parents[1] / "cases"
GONE = "gone@elsewhere.example"


def test_only_administrators_see_status_and_trace(home: House) -> None:
    with home.person("jean") as client:
        for path in ADMINISTRATORS_ONLY:
            assert client.get(path).status_code == 404
        token = csrf(client.get("/account"))
        assert client.post("/status/resume", data={"csrf": token, "address": GONE}).status_code == 404
    with home.person("helene") as client:
        for path in ADMINISTRATORS_ONLY:
            assert client.get(path).status_code == 200


def test_status_tells_mirror_findings_queue_and_charts(home: House) -> None:
    now = int(home.parts.now())
    waiting, decided = held(home), held(home)
    home.parts.ledger.change(decided.id, Event.REJECT, Who("x", Way.PANEL), now)
    home.parts.ledger.bounces.suspend(
        Suspension(GONE, now, 0, 0, "desk", "contact@masociete.example", "550 no"), DESK
    )
    failed = Failed(
        "t",
        "slow@elsewhere.example",
        "f",
        "u",
        "contact@masociete.example",
        "temporary",
        "",
        "full",
        now,
        now,
    )
    home.parts.ledger.bounces.count(failed)
    with home.person("helene") as client:
        page = client.get("/status").text
        for wanted in (
            "Open to the Internet", "Groups that contain each other", home.office.slapd.uri, GONE,
            "slow@elsewhere.example",
            "/held?group=commercial%40masociete.example", "Decisions each day",
        ):  # fmt: skip
            assert wanted in page, wanted
        for chart in re.findall(r"<svg(?! viewBox=\"0 0 10 10\").*?</svg>", page, re.DOTALL):
            assert "<title" in chart
            assert "<desc" in chart
            assert "style=" not in chart
        assert 'rect class="series1"' in page, "the rejection of today"
        assert re.search(r'<th scope="row">[^<]+</th><td class="count">0</td><td class="count">1</td>', page)
        cycle = client.get("/status/findings?kind=cycle").text
        assert 'href="/groups/' in cycle
        assert client.get("/status/findings?kind=nonsense").status_code == 404
    assert waiting.name not in page


def test_status_draws_how_old_the_mirror_was(home: House) -> None:
    now, watch = int(home.parts.now()), home.parts.watch
    watch.ages.path.unlink(missing_ok=True)
    with home.person("helene") as client:
        assert "Nothing is recorded of its age yet" in client.get("/status").text
        # Of the next minutes too: the page is asked for a little later.
        for minute in range(-30, 180):
            if not 60 <= minute < 90:
                age = 7.0 if minute != 120 else watch.max_age + 3600
                watch.ages.note(now - minute * 60, age)
        page = client.get("/status").text
        french = client.get("/status?lang=fr").text.replace("\N{NO-BREAK SPACE}", " ")
    day = _figure(page, "age-day")
    assert "Highest age in the last 24 hours: 25 hours. Too old for: 1 minute." in page
    assert "Âge maximal des dernières 24 heures : 25 heures. Trop vieux pendant : 1 minute." in french
    assert day.count('class="series1"') == 1 + 1, "the hour in which it was too old, and the key"
    assert day.count('path fill="url(#age-day-gap)"') == 2, "before it began, and the half hour"
    assert ">trusted up to here</text>" in day
    assert '<th scope="col">Hour</th><th scope="col" class="count">Highest age</th>' in day
    assert '<td class="count">25 hours</td><td class="count">1 minute</td>' in day
    assert '<td class="count">25 hours</td>' in _figure(page, "age-weeks")


def test_what_has_just_begun_is_no_gap(tmp_path: Path) -> None:
    """Ages are noted once a minute: of a column that is younger nothing can be known yet."""
    now, ages = 1_795_680_000, Ages(tmp_path / "ages")
    for minute in range(1, 31):
        ages.note(now - minute * 60, 7.0)
    words = Words("en", lambda _, text: text, ZoneInfo("UTC"))
    gaps = []
    for later in (1, 59, 60, 120):
        found = drawn(history(ages, 86_400.0, now + later, 0), 86_400.0, words, 0)
        assert found is not None
        gaps.append(len(found.day.gaps))
    assert gaps == [1, 1, 2, 2], "before it began, and in the end the minute that nobody noted"


def _figure(page: str, name: str) -> str:
    found = re.search(rf'<figure class="chart">(?:(?!</figure>).)*"{name}-title.*?</figure>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_a_mirror_that_nobody_keeps_grows_old(home: House, tmp_path: Path) -> None:
    now = home.parts.now()
    assert mirror_age(home.configuration, now) < 60
    assert mirror_age(home.configuration, now + 7200) > 7100
    site = home.configuration.site.model_copy(update={"mirror": tmp_path / "none.db"})
    assert mirror_age(replace(home.configuration, site=site), now) == NEVER


def test_ages_are_drawn_on_a_scale_that_shows_minutes_and_weeks() -> None:
    axis, said = Axis(6, {0: "a", 5: "b"}), "{:g}".format
    chart = over_time([5.0, 60.0, None, 600.0, NEVER], 86_400.0, axis, said, [])
    assert [mark.text for mark in chart.scale] == ["60", "600", "3600", "21600", "86400", "604800"]
    assert [area.series for area in chart.areas] == [0, 0, 1]
    assert len(chart.gaps) == 1
    low, middle = (chart.scale[number].at for number in (0, 1))
    assert f"V{low:g}H" in chart.areas[0].path
    assert f"V{middle:g}H" in chart.areas[1].path
    assert chart.limit == chart.scale[4].at
    assert "V10H" in chart.areas[2].path, "no mirror: as high as the chart"
    ends = [float(area.path.rsplit("H", 1)[1].partition("V")[0]) for area in (*chart.areas, *chart.gaps)]
    assert max(ends) == pytest.approx(chart.left + 5 * (chart.width - chart.left - 4) / 6, abs=0.02)
    assert over_time([30.0], 60.0, axis, said, []).scale[-1].text == "600"


def test_a_suspended_member_gets_mail_again(home: House) -> None:
    now = int(home.parts.now())
    home.parts.ledger.bounces.suspend(Suspension(GONE, now, 0, 0, "desk", "", ""), DESK)
    with home.person("helene") as client:
        token = csrf(client.get("/status"))
        answer = client.post("/status/resume", data={"csrf": token, "address": GONE.upper()})
        assert answer.headers["location"].startswith("/status?said=address-")
        client.post("/status/resume", data={"csrf": token, "address": GONE})
        assert home.parts.ledger.bounces.suspension(GONE) is None
        again = client.post("/status/resume", data={"csrf": token, "address": GONE})
        assert again.headers["location"] == "/status?said=address-not-suspended"
    row = home.parts.ledger.audit(action="resume")[-1]
    assert (row.actor, row.way) == ("helene.lefevre@masociete.example", "panel")


def test_a_chart_is_drawn_to_scale() -> None:
    chart = columns([Point("a", (1, 0, 3)), Point("b", (0, 0, 0)), Point("c", (8, 2, 0))], every=1)
    assert [mark.text for mark in chart.scale] == ["0", "5", "10"]
    heights = [box.height for box in chart.boxes]
    assert [round(height / heights[0], 1) for height in heights] == [1.0, 3.0, 8.0, 2.0]
    assert [box.series for box in chart.boxes] == [0, 2, 0, 1]
    assert chart.boxes[1].y + chart.boxes[1].height == pytest.approx(chart.boxes[0].y)
    assert [mark.text for mark in chart.labels] == ["a", "b", "c"]
    assert columns([]).boxes == ()
    assert (share(50, 100), share(200, 100), share(1, 0)) == (50.0, 100.0, 100.0)


def test_everybody_may_ask_for_himself_and_sees_no_reasons(home: House) -> None:
    with home.person("pierre") as client:
        page = client.get(
            "/explain?group=tous@masociete.example&sender=administrator@masociete.example&proof=login"
        )
        assert page.status_code == 200
        assert "No: the message is refused." in page.text
        assert "pierre.durand@masociete.example" in page.text
        assert "administrator@masociete.example" not in page.text
        for hidden in ("Allowed senders", "How it came about", "Members who get it", 'name="sender"'):
            assert hidden not in page.text
        assert (
            "Yes: the message reaches the group." in client.get("/explain?group=info@masociete.example").text
        )


def test_owners_and_administrators_ask_for_anybody_and_see_why(home: House) -> None:
    with home.person("helene", "fr") as client:
        asked = "/explain?group=commercial@masociete.example&sender=x@elsewhere.example&proof=nothing&size=2"
        page = client.get(asked).text
        assert "le message attend les modérateurs" in page
        assert "«\u00a0Approbation des messages requise\u00a0» est activé" in page
        assert "dgModerated" in page, "administrators see the attribute beside the setting"
        big = client.get(
            "/explain?group=tous@masociete.example&sender=administrator@masociete.example&size=5"
        ).text
        assert "«\u00a0Taille maximale d’un message\u00a0»\u00a0: <bdi>100000</bdi>" in big
        trusted = asked.replace("x@elsewhere", "x@partner").replace("nothing", "dkim")
        assert "dgModerationBypassAddress" in client.get(trusted).text
    with home.person("zoe") as client:
        page = client.get("/explain?group=equipe@masociete.example&sender=jean.dupont@masociete.example").text
        assert "How it came about" in page
        assert "only its owners see why" in page, "tous inside isn't hers"
        stranger = client.get(
            "/explain?group=equipe@masociete.example&sender=x@elsewhere.example&proof=nothing"
        )
        assert "“Internal senders only” is on, and the sender is not authenticated" in stranger.text
        assert "dgRequireAuthentication" not in stranger.text, "that is for administrators"
        assert "Allowed senders" not in page


def test_a_stranger_who_is_taken_for_logged_in_is_pointed_out(home: House) -> None:
    asked = "/explain?group=equipe@masociete.example&proof=login&sender="
    with home.person("zoe") as client:
        stranger, insider = (
            client.get(asked + one).text for one in ("x@y.example", "jean.dupont@masociete.example")
        )
        note = "Nobody in the directory logs in with this address"
        assert (note in stranger, note in insider) == (True, False)
        [unproven] = re.findall(r'href="(/explain[^"]*proof=nothing[^"]*)"', unescape(stranger))
        assert "No: the message is refused." in client.get(unproven).text


def test_a_hidden_group_is_nobodys_to_ask_about(home: House) -> None:
    home.office.slapd.modify(
        "dn: cn=ventes,ou=groups,dc=masociete,dc=example\nchangetype: modify\nreplace: dgHidden\ndgHidden: TRUE\n"
    )
    home.until(lambda: home.group("ventes").hidden)
    address = home.group("ventes").address
    with home.person("helene") as client:
        assert client.get(f"/explain?group={address}").status_code == 200
    with home.person("zoe") as client:
        hidden, unknown = (
            client.get(f"/explain?group={one}") for one in (address, "nobody@masociete.example")
        )
    assert hidden.status_code == unknown.status_code == 422
    assert hidden.text.replace("ventes", "nobody") == unknown.text


def test_what_is_wrong_with_a_question_is_named(home: House) -> None:
    with home.person("helene") as client:
        page = client.get("/explain?group=contact@masociete.example&sender=no%20address&size=huge")
        assert page.status_code == 422
        assert "That is no mail address." in page.text
        assert "A number of megabytes is wanted" in page.text
        assert 'value="huge"' in page.text
        assert client.get("/explain").status_code == 200


def test_every_reason_that_the_corpus_of_cases_brings_is_known() -> None:
    unknown: set[tuple[str, str]] = set()
    files = [path for path in sorted(CASES.glob("*.yaml")) if path.name in {"rules.yaml", "forged.yaml"}]
    with Stage(Base()) as stage:
        for case in read_files(files):
            for observed in rehearse(case, stage.site(case)).observed:
                steps = [step for one in observed for step in one.verdict.trace]
                unknown |= {
                    (s.rule, s.because) for s in steps if known(s.because) is None and s.rule != "site-rules"
                }
    assert {(rule, because) for rule, because in unknown if rule not in {"automatic", "empty"}} == set()
    assert set(POLICY_RULES) <= set(RULES)


def test_a_mail_is_traced_by_any_of_its_names(home: House) -> None:
    item = held(home)
    home.parts.ledger.change(item.id, Event.APPROVE, Who("helene@x", Way.PANEL), int(home.parts.now()))
    home.parts.ledger.change(
        item.id, Event.RELEASE, DESK, int(home.parts.now()), note="250 2.0.0 queued as 4ABCDEF012"
    )
    with home.person("administrator") as client:
        for what in (item.name, "offer@partner.example", "<offer@partner.example>", "4ABCDEF012"):
            page = client.get("/trace", params={"what": what}).text
            assert item.name in page, what
            assert "4ABCDEF012" in page
            assert "Message delivered to the group" in page
        assert "No held message is known by this." in client.get("/trace?what=nothing@x").text


def test_my_account_tells_where_i_am_logged_in(home: House) -> None:
    with home.person("jean") as first, home.person("jean") as second:
        page = first.get("/account").text
        assert "jean.dupont@masociete.example" in page
        assert page.count(">this browser<") == 1
        assert page.count("127.0.0.1") >= 2
        answer = first.post("/logout", data={"csrf": csrf(first.get("/account")), "everywhere": "yes"})
        assert answer.headers["location"] == "/login?said=everywhere"
        assert second.get("/account").status_code == 303
    with home.person("helene") as client:
        assert "of all groups" in client.get("/account").text
        french = client.get("/account?lang=fr").text
        assert "Mon compte" in french
        assert "Mon compte" in client.get("/account").text
