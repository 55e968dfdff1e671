"""Every option, rule, condition, action and reply is documented in both languages, with its true default.

The lists come from the models themselves, so what is added without a line of documentation fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo
from tests.qa.source import ROOT

from groupmilter.cli.check import SERIOUS
from groupmilter.config.load import parse_yaml
from groupmilter.config.model import Site
from groupmilter.config.policy_fields import SenderClass
from groupmilter.config.policy_model import PolicyFile
from groupmilter.config.resources import Kind, resource
from groupmilter.config.validation import model_within
from groupmilter.directory.findings import Kind as Finding
from groupmilter.moderation.item import Event
from groupmilter.panel.deeds import ACTIONS
from groupmilter.policy.facts import Strength
from groupmilter.policy.replies import STATUS
from groupmilter.policy.rules import RULES

ROW = re.compile(r"\| `([^`]+)` \| (.+?) \| (.+) \|")
REQUIRED = {"en": "required", "fr": "obligatoire"}
ELSEWHERE = {"en": {"see above", "see below"}, "fr": {"voir ci-dessus", "voir ci-dessous"}}
LANGUAGES = pytest.mark.parametrize("language", ["en", "fr"])


@dataclass(frozen=True)
class Row:
    """One row of a table: the default (or status) and the meaning, as written."""

    second: str
    third: str


def rows(page: str, language: str, section: str = "") -> dict[str, Row]:
    """Return the rows of a page, or of one of its tables by the head of its first column."""
    folder = ROOT / "docs" / ("" if language == "en" else language)
    found: dict[str, Row] = {}
    head = ""
    for line in (folder / f"{page}.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| ---") and "`" not in line.split("|")[1]:
            head = line.split("|")[1].strip()
        match = ROW.fullmatch(line)
        if match and head == section:
            assert match[1] not in found, f"{match[1]} twice"
            found[match[1]] = Row(match[2], match[3])
    return found


def options(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield each option's path, ``rules[].name``, with its field; a section without options stands for itself."""
    for name, field in model.model_fields.items():
        inner = model_within(field.annotation)
        path = f"{before}{name}"
        if inner is None or not inner.model_fields:
            yield path, field
            continue
        if "tuple" in str(field.annotation):
            path += "[]"
            if model is Site:
                yield path.removesuffix("[]"), field
        yield from options(inner, f"{path}.")


def enumerations(annotation: object) -> Iterator[type[Enum]]:
    """Yield the enumerations that an annotation holds."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield annotation
    for part in get_args(annotation):
        yield from enumerations(part)


def read(field: FieldInfo, text: str) -> object:
    """Return what a default as documented would set the option to."""
    kind: Any = Annotated[(field.annotation, *field.metadata, "as in the model")]
    config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    one = create_model("One", __config__=config, value=(kind, ...))
    made = one.model_validate({"value": parse_yaml(text, "documentation")}, context={"folder": "/"})
    value: object = made.__dict__["value"]
    return value


def default_of(path: str, field: FieldInfo, shipped: object) -> object:
    """Return an option's default; a policy's stands in the shipped file."""
    at: object = shipped
    for part in path.split("."):
        at = at.get(part) if isinstance(at, dict) else None
    if at is None or isinstance(at, list | dict):
        return field.default
    return at


@LANGUAGES
@pytest.mark.parametrize(("page", "model"), [("configuration", Site), ("policies", PolicyFile)])
def test_the_tables_hold_every_option_and_no_other(page: str, model: type[BaseModel], language: str) -> None:
    assert set(rows(page, language, "Option")) == {path for path, _ in options(model)}


@LANGUAGES
def test_the_documented_defaults_of_the_configuration_are_true(language: str) -> None:
    table = rows("configuration", language, "Option")
    for path, field in options(Site):
        said = table[path].second
        if field.is_required():
            assert said == REQUIRED[language], path
        elif said == "–":
            assert field.default in (None, ()), path
        else:
            assert read(field, said.strip("`")) == field.default, path


@LANGUAGES
def test_the_documented_defaults_of_policies_are_true(language: str) -> None:
    table = rows("policies", language, "Option")
    shipped = parse_yaml(resource(Kind.POLICIES, "default.yaml").read_text(encoding="utf-8"), "default.yaml")
    for path, field in options(PolicyFile):
        said, default = table[path].second, default_of(path, field, shipped)
        if said in ELSEWHERE[language]:
            continue
        if said == "–":
            assert default in (None, (), {}), path
        elif said == REQUIRED[language]:
            assert field.is_required(), path
        elif default is field.default:
            assert read(field, said.strip("`")) == default, path
        else:
            assert parse_yaml(said.strip("`"), "d") == default, path


@LANGUAGES
@pytest.mark.parametrize(("page", "model"), [("configuration", Site), ("policies", PolicyFile)])
def test_every_value_of_an_enumeration_is_named(page: str, model: type[BaseModel], language: str) -> None:
    table = rows(page, language, "Option")
    for path, field in options(model):
        for kind in enumerations(field.annotation):
            for member in kind:
                word = str(member) if isinstance(member, Strength) else member.value
                assert f"`{word}`" in table[path].third, f"{path}: {word}"


@LANGUAGES
def test_rules_and_replies_are_documented(language: str) -> None:
    assert set(rows("policies", language, "Rule" if language == "en" else "Règle")) == set(RULES)
    replies = rows("policies", language, "Situation")
    assert {name: row.second for name, row in replies.items()} == STATUS
    assert len(SenderClass) == 5


@pytest.mark.parametrize(
    ("page", "language", "head"), [("commands", "en", "Finding"), ("commandes", "fr", "Constat")]
)
def test_findings_are_documented_with_their_level(page: str, language: str, head: str) -> None:
    levels = {name: row.second for name, row in rows(page, language, head).items()}
    assert levels == {kind.value: "error" if kind.value in SERIOUS else "warning" for kind in Finding}


@pytest.mark.parametrize(("page", "beginning"), [("commands", "Actions: "), ("fr/commandes", "Actions : ")])
def test_what_the_audit_can_say_is_documented(page: str, beginning: str) -> None:
    noted = re.compile(r"(?:note|_note|audit)\(\s*\"([a-z-]+)\"")
    package = (ROOT / "milter" / "groupmilter").rglob("*.py")
    actions = {action for path in package for action in noted.findall(path.read_text(encoding="utf-8"))}
    named = audit_words(page, beginning)
    assert len(actions) > 5
    assert actions | {event.value for event in Event} <= named


@pytest.mark.parametrize(("page", "beginning"), [("commands", "Actions: "), ("fr/commandes", "Actions : ")])
def test_the_panel_has_words_for_all_that_the_audit_can_say(page: str, beginning: str) -> None:
    named = audit_words(page, beginning)
    reasons = {"forged", "expired", "gone", "nowhere", "foreign"}
    named = (named - reasons - {"token-"}) | {f"token-{reason}" for reason in reasons}
    assert named == set(ACTIONS)


def audit_words(page: str, beginning: str) -> set[str]:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return set(re.findall(r"`([a-z-]+)`", text.partition(f"\n{beginning}")[2].partition("\n\n")[0]))


@LANGUAGES
def test_the_page_on_moderation_shows_the_options_as_they_are(language: str) -> None:
    folder = ROOT / "docs" / ("" if language == "en" else language)
    page = (folder / "moderation.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    [shown] = [block for block in blocks if block.startswith("hold_time")]
    shipped = parse_yaml(resource(Kind.POLICIES, "default.yaml").read_text(), "default")
    assert isinstance(shipped, dict)
    expected = {"hold_time": shipped["hold_time"], "moderation": shipped["moderation"]}
    assert parse_yaml(shown, "documentation") == expected
    known = {path for path, _ in options(PolicyFile) if path.startswith("moderation.")}
    assert {f"moderation.{name}" for name in expected["moderation"]} == known
