"""Policy files: the shipped one, what overrides what, every condition and action, and what is refused."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.config.load import ConfigurationError, Document
from groupmilter.config.policies import read_policies, read_policy
from groupmilter.config.policy_model import PolicyFile
from groupmilter.config.resources import Kind, resource
from groupmilter.config.validation import validate
from groupmilter.mail.reply import reply
from groupmilter.policy.conditions import (
    AutoSubmitted,
    BlindCopy,
    Calendar,
    HeaderMatches,
    RecipientsOver,
    SenderDomain,
    SenderIs,
    SizeOver,
    StrengthIs,
)
from groupmilter.policy.facts import Strength
from groupmilter.policy.replies import STATUS, reply_for
from groupmilter.policy.settings import (
    CHAIN,
    AcceptThen,
    Bounces,
    HoldThen,
    Rate,
    RateLimitThen,
    RefuseThen,
    ReplyCodes,
    Settings,
    SiteRule,
    TagThen,
)

EXAMPLES = sorted(resource(Kind.EXAMPLES, "french.yaml").parent.glob("*.yaml"))


def settings(tmp_path: Path, *texts: str) -> Settings:
    names = []
    for number, text in enumerate(texts):
        (tmp_path / f"p{number}.yaml").write_text(text, encoding="utf-8")
        names.append(f"p{number}.yaml")
    return read_policies(Settings(), names, (), tmp_path)


def complaints(tmp_path: Path, *texts: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, *texts)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.errors]


def rule(tmp_path: Path, body: str) -> SiteRule:
    return settings(tmp_path, f"rules:\n  - name: r\n{body}").rules[0]


def test_the_shipped_policy_is_what_the_code_assumes() -> None:
    shipped = read_policies(Settings(), (), (), Path())
    plain = Settings()
    assert shipped.chain == CHAIN
    for name in Settings.__dataclass_fields__:
        if name != "texts":
            assert getattr(shipped, name) == getattr(plain, name), name


def test_every_situation_has_a_text_in_english_and_french_that_survives_ascii() -> None:
    shipped = read_policies(Settings(), (), (), Path())
    assert set(shipped.texts.texts) == set(STATUS)
    for situation, wording in shipped.texts.texts.items():
        assert set(wording) == {"en", "fr"}, situation
        sent = reply_for(situation, "contact@masociete.example", shipped).text
        assert sent.isascii()
        assert "{" not in sent
        for text in wording.values():
            assert "?" not in reply("550 5.7.1", text).text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_is_good(path: Path) -> None:
    content = read_policy(path).content
    assert content.model_fields_set
    assert read_policies(Settings(), [str(path)], (), Path()).chain == CHAIN


@pytest.mark.parametrize("name", ["default", str(resource(Kind.POLICIES, "default.yaml"))])
def test_naming_the_shipped_policy_changes_nothing(name: str) -> None:
    assert read_policies(Settings(), [name], (), Path()) == read_policies(Settings(), (), (), Path())


def test_a_later_file_overrides_single_settings_and_adds_rules(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        "max_size: 10MB\nhold_time: 2d\nbounds: {depth: 5}\nrules: [{name: one, then: hold}]\n"
        "texts: {denied: {fr: Non}}\nstorm: {replies: {messages: 0, per: 1h}}",
        "max_size: 1MiB\nconceal_groups: true\nlanguage: fr\ncontact: aide@{domain}\nreply_codes: exchange\n"
        "rules: [{name: two, then: accept}]\ntexts: {denied: {en: No}}\nchain: [denied, site-rules]",
    )
    assert (found.max_size, found.hold_hours, found.conceal_groups) == (1_048_576, 48, True)
    assert (found.bounds.depth, found.bounds.members) == (5, 200_000)
    assert (found.storm.rate, found.storm.replies) == (Rate(120, 600), Rate(0, 3600))
    assert [r.name for r in found.rules] == ["one", "two"]
    assert found.texts.texts["denied"] == {"en": "No", "fr": "Non"}
    assert set(found.texts.texts["size"]) == {"en", "fr"}
    assert (found.texts.language, found.texts.contact) == ("fr", "aide@{domain}")
    assert found.reply_codes is ReplyCodes.EXCHANGE
    assert found.chain == ("denied", "site-rules")


def test_texts_for_some_groups_take_the_rest_from_the_general_ones(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        'texts_for: [{groups: "a@*", texts: {denied: {en: Early}}}]\nlanguage: fr',
        'texts_for: [{groups: ["a@*"], language: en, texts: {denied: {en: Late}}}]',
    )
    assert [special.texts.language for special in found.texts_for] == ["en", "fr"]
    assert reply_for("denied", "a@b.example", found).text == "Late"
    assert reply_for("denied", "c@b.example", found).text.startswith("Vous n'etes pas autorise")
    assert reply_for("size", "a@b.example", found).text.startswith("The message is larger")


def test_policies_of_single_groups_hold_rules_only(tmp_path: Path) -> None:
    (tmp_path / "quiet.yaml").write_text("rules: [{name: hush, then: hold}]")
    found = read_policies(Settings(), (), [tmp_path / "quiet.yaml"], tmp_path)
    assert found.group_policies == {"quiet"}
    assert [(r.name, r.policy) for r in found.rules] == [("hush", "quiet")]
    (tmp_path / "loud.yaml").write_text("rules: []\nmax_size: 1MB\nlanguage: fr")
    with pytest.raises(ConfigurationError) as caught:
        read_policies(Settings(), (), [tmp_path / "loud.yaml"], tmp_path)
    assert [(problem.line, problem.path) for problem in caught.value.errors] == [
        (3, "language"),
        (2, "max_size"),
    ]


@pytest.mark.parametrize(
    ("when", "condition"),
    [
        ("sender: external", SenderIs(frozenset({"external"}))),
        ("sender: [owner, member]", SenderIs(frozenset({"owner", "member"}))),
        ("strength: [dmarc, claimed]", StrengthIs(frozenset({Strength.DMARC, Strength.CLAIMED}))),
        ('sender_domain: ["*.Example"]', SenderDomain(("*.example",))),
        ("size_over: 1KB", SizeOver(1000)),
        ("recipients_over: 20", RecipientsOver(20)),
        ('header: {X-Spam: "yes*"}', HeaderMatches("x-spam", ("yes*",))),
        ("auto_submitted: true", AutoSubmitted(True)),
        ("bcc: false", BlindCopy(False)),
        (
            'calendar: {days: [fri-mon, wed], start: "08:30", end: 18:00, zone: Europe/Paris}',
            Calendar(frozenset({4, 5, 6, 0, 2}), time(8, 30), time(18, 0), ZoneInfo("Europe/Paris")),
        ),
        ("calendar: {zone: UTC}", Calendar(frozenset(range(5)), time(0), time(0), ZoneInfo("UTC"))),
    ],
)
def test_each_condition(tmp_path: Path, when: str, condition: object) -> None:
    assert rule(tmp_path, f"    when: {{{when}}}\n    then: hold").when == (condition,)


@pytest.mark.parametrize(
    ("then", "action"),
    [
        ("accept", AcceptThen()),
        ("hold", HoldThen()),
        ("{hold: {moderators: a@b.example, hours: 3d, approvals: 2}}", HoldThen(("a@b.example",), 72, 2)),
        ("refuse", RefuseThen(reply("550 5.7.1"))),
        (
            "{refuse: {code: 554, enhanced: 5.6.0, text: {en: No, fr: Non}}}",
            RefuseThen(reply("554 5.6.0"), {"en": "No", "fr": "Non"}),
        ),
        ("{tag: {name: X-Tag, value: 'a b'}}", TagThen("X-Tag", "a b")),
        ("{tag: {name: X-Tag, value: a, over_signature: true}}", TagThen("X-Tag", "a", over_signature=True)),
        ("{rate_limit: {messages: 5, per: 1m}}", RateLimitThen(Rate(5, 60))),
        (
            "{rate_limit: {messages: 5, per: 1m, by: sender, then: refuse}}",
            RateLimitThen(Rate(5, 60), True, "refuse"),
        ),
    ],
)
def test_each_action(tmp_path: Path, then: str, action: object) -> None:
    assert rule(tmp_path, f"    then: {then}").then == action


def test_a_rule_knows_where_it_stands(tmp_path: Path) -> None:
    found = settings(
        tmp_path, "# first\nrules:\n  - name: a\n    then: hold\n\n  - name: b\n    then: hold\n"
    ).rules[1]
    assert (Path(found.file).name, found.line) == ("p0.yaml", 6)
    assert (found.groups, found.when) == ((), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{name: a, then: {attachment: x}}]", "p0.yaml:1: rules[0].then.attachment: unknown key"),
        (
            'rules: [{name: a, when: {attachment: "*.exe"}, then: hold}]',
            "rules[0].when.attachment: not yet available",
        ),
        (
            "rules: [{name: a, when: {released_thread: true}, then: hold}]",
            "released_thread: not yet available",
        ),
        ("rules: [{name: a, when: {sender: [first-time]}, then: hold}]", "first-time is not yet available"),
        ("rules: [{name: a, when: {sender: boss}, then: hold}]", "wants internal, external"),
        ("rules: [{name: a, when: {sender: []}, then: hold}]", "never holds"),
        ("rules: [{name: a, when: {strength: strong}, then: hold}]", "wants login, certificate"),
        (
            "rules: [{name: a, when: {calendar: {days: monday, zone: UTC}}, then: hold}]",
            "span such as mon-fri",
        ),
        ("rules: [{name: a, when: {calendar: {zone: Mars/Base}}, then: hold}]", "time zone"),
        ("rules: [{name: a, when: {calendar: {zone: ../../etc/passwd}}, then: hold}]", "time zone"),
        ("rules: [{name: a, when: {calendar: {start: 8:30, zone: UTC}}, then: hold}]", "time of day"),
        ("rules: [{name: a, when: {calendar: {}}, then: hold}]", "zone: is required"),
        ('rules: [{name: a, when: {header: {"X:": y}}, then: hold}]', "name of a header field"),
        ("rules: [{name: a, when: {header: {}}, then: hold}]", "never holds"),
        ("rules: [{name: a, when: {bcc: yes}, then: hold}]", "true or false"),
        ('rules: [{name: a, groups: ["[a-z]*"], then: hold}]', "wants a pattern"),
        ("rules: [{name: a, then: hold, regex: x}]", "unknown key"),
        ("rules: [{name: a}]", "then: is required"),
        ("rules: [{name: a, then: {}}]", "exactly one of"),
        ("rules: [{name: a, then: {hold: {}, accept: {}}}]", "exactly one of"),
        ("rules: [{name: a, then: discard}]", "wants a mapping"),
        ("rules: [{name: a, then: {refuse: {code: 450}}}]", "4xx only ever means"),
        ("rules: [{name: a, then: {refuse: {enhanced: 4.7.1}}}]", "enhanced code such as"),
        ("rules: [{name: a, then: {refuse: {enhanced: 5.7}}}]", "put it in quotes"),
        ('rules: [{name: a, then: {refuse: {text: {en: "{user}"}}}}]', "no other braces"),
        ("rules: [{name: a, then: {tag: {name: 'X: y', value: z}}}]", "name of a header field"),
        ('rules: [{name: a, then: {tag: {name: X, value: "a\\nBcc: b"}}}]', "one line"),
        ("rules: [{name: a, then: {tag: {name: subject, value: b}}}]", "a field of your own"),
        ("rules: [{name: a, then: {tag: {name: X-Groupmilter-Loop, value: b}}}]", "a field of your own"),
        ("rules: [{name: a, then: {tag: {name: ARC-Seal, value: b}}}]", "a field of your own"),
        ("rules: [{name: a, then: {hold: {moderators: nobody}}}]", "wants a mail address"),
        ("rules: [{name: a, then: {hold: {hours: 90m}}}]", "whole hours"),
        ("rules: [{name: a, then: {rate_limit: {messages: 0, per: 1h}}}]", "greater than"),
        ("rules: [{name: denied, then: hold}]", "no name of the chain"),
        ("rules: [{name: A b, then: hold}]", "lower-case letters"),
        ("rules: [{name: a, then: hold}, {name: a, then: hold}]", "rule a stands in"),
        ("chain: [denied, denied]", "twice"),
        ("chain: [spam]", "no such rule; the chain knows disabled"),
        ("texts: {denid: {en: x}}", "no such situation"),
        ("texts: {denied: {english: x}}", "wants a language"),
        ('texts: {denied: {en: "{group.dn}"}}', "no other braces"),
        ("contact: '{group}'", "only {domain}"),
        ("storm: {messages: {messages: 5}}", "per: is required"),
        ("bounds: {depth: 0}", "greater than"),
        ("max_size: 5 bananas", "wants a size"),
        ("chian: []", "unknown key; did you mean chain?"),
        ("texts_for: [{groups: [], language: fr}]", "at least 1"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in "\n".join(complaints(tmp_path, text))


def test_the_same_rule_in_two_files_names_both(tmp_path: Path) -> None:
    one = "rules: [{name: a, then: hold}]"
    assert complaints(tmp_path, one, f"\n{one}") == [
        f"p1.yaml:2: rules[0].name: a rule a stands in {tmp_path}/p0.yaml:1 already"
    ]


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    found = complaints(tmp_path, "chian: []", "a: [", "bounds: {depth: x}")
    assert [line.partition(":")[0] for line in found] == ["p0.yaml", "p1.yaml", "p2.yaml"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.yaml: No such file"):
        read_policies(Settings(), ["nothing.yaml"], (), tmp_path)
    with pytest.raises(ConfigurationError, match="nothing: No such file"):
        read_policies(Settings(), ["nothing"], (), tmp_path)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert settings(tmp_path, "# nothing yet\n") == settings(tmp_path)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from(["hold", "a@b.example", "1h"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*PolicyFile.model_fields, "else"]), VALUES, max_size=5))
def test_any_values_give_a_policy_or_problems(value: dict[str, object]) -> None:
    try:
        found: PolicyFile | ConfigurationError = validate(PolicyFile, Document(value, "f"), Path("/"))
    except ConfigurationError as error:
        found = error
    assert isinstance(found, PolicyFile) or found.errors


def test_bounces_are_overridden_key_by_key(tmp_path: Path) -> None:
    assert settings(tmp_path).bounces == Bounces()
    found = settings(
        tmp_path, "bounces: {suspend_after: 3, window: 7d, retry: 2d}", "bounces: {suspend: false}"
    )
    assert found.bounces == Bounces(suspend=False, suspend_after=3, window=7 * 86_400, retry=2 * 86_400)
    assert settings(tmp_path, "bounces: {retry: 0h}").bounces.retry == 0


@pytest.mark.parametrize(
    "text",
    ["suspend_after: 0", "window: 12h", "window: 31d", "retry: 90m", "suspend_after: 8, window: 7d", "summary: weekly",
     "suspended: true"],
)  # fmt: skip
def test_what_bounces_do_not_take(tmp_path: Path, text: str) -> None:
    (complaint,) = complaints(tmp_path, f"bounces: {{{text}}}")
    assert complaint.startswith("p0.yaml:1: bounces")


def test_moderators_may_never_be_reminded(tmp_path: Path) -> None:
    assert settings(tmp_path, "moderation: {reminder: 0h}").moderation.reminder_hours == 0
