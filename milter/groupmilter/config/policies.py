"""Policy files into `Settings`: the shipped default underneath, then each file over the ones before it.

A later file overrides single settings and single texts, and appends its rules. Files that only some groups
obey (``dgPolicy``) may hold rules and nothing else. Two rules of one name are refused, since an explanation
that names one would mean either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from groupmilter.config.load import ConfigurationError, Document, Problem, read_document, read_text
from groupmilter.config.policy_model import PolicyFile, RateEntry, RuleEntry, TextsForEntry, Then, When
from groupmilter.config.resources import Kind, resource
from groupmilter.config.validation import validate
from groupmilter.policy.conditions import (
    AutoSubmitted,
    BlindCopy,
    Calendar,
    Condition,
    HeaderMatches,
    RecipientsOver,
    SenderDomain,
    SenderIs,
    SizeOver,
    StrengthIs,
)
from groupmilter.policy.reasons import site_rule_number
from groupmilter.policy.settings import (
    AcceptThen,
    HoldThen,
    Rate,
    RateLimitThen,
    RefuseThen,
    ReplyTexts,
    Settings,
    SiteRule,
    StormGuard,
    TagThen,
    TextsFor,
)
from groupmilter.policy.settings import Then as Action

_OVERRIDES = (
    "chain",
    "reply_codes",
    "max_size",
    "conceal_groups",
    "dmarc_is_internal",
    "list_headers",
    "sender_gets_copy",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file as read; ``name`` is what ``dgPolicy`` says, empty where it concerns every group."""

    content: PolicyFile
    document: Document
    name: str = ""


def read_policies(base: Settings, names: Iterable[str], for_groups: Iterable[Path], folder: Path) -> Settings:
    """Return settings with all policy files in force.

    :param base: what does not come from policies (domains, the MTA's size limit).
    :param names: files that concern every group, over the shipped default; a bare word is a shipped file.
    :param for_groups: files that only groups naming their stem obey.
    :param folder: relative names start here.
    :raises ConfigurationError: with everything wrong with all of them.
    """
    shipped = resource(Kind.POLICIES, "default.yaml")
    general = [path for name in names if (path := locate(name, folder)) != shipped]
    wanted = [(shipped, ""), *((path, "") for path in general), *((path, path.stem) for path in for_groups)]
    policies: list[Policy] = []
    problems: list[Problem] = []
    for path, name in wanted:
        try:
            policies.append(read_policy(path, name))
        except ConfigurationError as error:
            problems.extend(error.errors)
    problems.extend(_twice(policies))
    problems.extend(_alike(policies))
    if problems:
        raise ConfigurationError(tuple(problems))
    return merge(base, policies)


def locate(name: str, folder: Path) -> Path:
    """Return the file that a name in ``policies`` means: ``default`` is a shipped one, all else a path."""
    if "/" in name or "." in name:
        return folder / name
    try:
        return resource(Kind.POLICIES, f"{name}.yaml")
    except FileNotFoundError:
        return folder / name


def read_policy(path: Path, name: str = "") -> Policy:
    """Return one policy file.

    :param name: see `Policy`.
    :raises ConfigurationError: with everything wrong with it.
    """
    document = read_document(read_text(path), str(path))
    if document.value is None and not document.problems:
        return Policy(PolicyFile(), document, name)
    content = validate(PolicyFile, document, path.parent)
    beyond = sorted(content.model_fields_set - {"rules"}) if name else []
    if beyond:
        said = "a policy of single groups holds rules and nothing else"
        raise ConfigurationError(tuple(document.problem((key,), said) for key in beyond))
    return Policy(content, document, name)


def _twice(policies: Iterable[Policy]) -> Iterable[Problem]:
    first: dict[str, Problem] = {}
    for policy in policies:
        for index, rule in enumerate(policy.content.rules):
            here = policy.document.problem(("rules", index, "name"), "")
            if rule.name in first:
                said = f"a rule {rule.name} stands in {first[rule.name].file}:{first[rule.name].line} already"
                yield replace(here, text=said)
            first.setdefault(rule.name, here)


def _alike(policies: Iterable[Policy]) -> Iterable[Problem]:
    """Complain of rules whose names come to one number: a held message couldn't tell which of them held it."""
    places = {
        rule.name: policy.document.problem(("rules", index, "name"), "")
        for policy in policies
        for index, rule in enumerate(policy.content.rules)
    }
    known: dict[int, str] = {}
    for name, here in places.items():
        other = known.setdefault(site_rule_number(name), name)
        if other != name:
            yield replace(here, text=f"comes to the same number as {other}; give one of them another name")


def merge(settings: Settings, policies: Iterable[Policy]) -> Settings:
    """Return settings with each policy over the ones before it."""
    special: list[TextsForEntry] = []
    names: set[str] = set()
    for policy in policies:
        settings = _over(settings, policy)
        special.extend(policy.content.texts_for)
        names.update({policy.name} - {""})
    texts_for = tuple(_texts_for(entry, settings.texts) for entry in reversed(special))
    return replace(settings, texts_for=texts_for, group_policies=frozenset(names))


def _over(settings: Settings, policy: Policy) -> Settings:
    content = policy.content
    given = {name: value for name in _OVERRIDES if (value := getattr(content, name)) is not None}
    bounds = content.bounds.model_dump(exclude_none=True)
    moderation = content.moderation.model_dump(exclude_none=True)
    for name in ("reminder", "claim"):
        if name in moderation:
            moderation[f"{name}_hours"] = moderation.pop(name)
    bounces = content.bounces.model_dump(exclude_none=True)
    if "retry" in bounces:
        bounces["retry"] *= 3600
    names = {"time": "hours", "reminder": "reminder_hours", "confirm_time": "confirm_hours"}
    requests = content.requests.model_dump(exclude_none=True)
    rules = tuple(_rule(entry, index, policy) for index, entry in enumerate(content.rules))
    return replace(
        settings,
        **given,
        hold_hours=settings.hold_hours if content.hold_time is None else content.hold_time,
        bounds=replace(settings.bounds, **bounds),
        moderation=replace(settings.moderation, **moderation),
        bounces=replace(settings.bounces, **bounces),
        requests=replace(settings.requests, **{names.get(name, name): it for name, it in requests.items()}),
        replay=replace(settings.replay, **content.replay.model_dump(exclude_none=True, mode="json")),
        storm=StormGuard(
            _rate(content.storm.messages, settings.storm.rate),
            _rate(content.storm.replies, settings.storm.replies),
        ),
        texts=ReplyTexts(
            _texts(settings.texts.texts, content.texts),
            content.language or settings.texts.language,
            content.contact or settings.texts.contact,
        ),
        rules=(*settings.rules, *rules),
    )


def _rate(entry: RateEntry | None, before: Rate) -> Rate:
    return before if entry is None else Rate(entry.messages, entry.per)


def _texts(
    before: Mapping[str, Mapping[str, str]], over: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Mapping[str, str]]:
    return {key: {**before.get(key, {}), **over.get(key, {})} for key in {**before, **over}}


def _texts_for(entry: TextsForEntry, general: ReplyTexts) -> TextsFor:
    wording = _texts({key: general.texts.get(key, {}) for key in entry.texts}, entry.texts)
    texts = ReplyTexts(wording, entry.language or general.language, entry.contact or general.contact)
    return TextsFor(entry.groups, texts)


def _rule(entry: RuleEntry, index: int, policy: Policy) -> SiteRule:
    return SiteRule(
        name=entry.name,
        groups=entry.groups,
        when=tuple(conditions(entry.when)),
        then=action(entry.then),
        policy=policy.name,
        file=policy.document.where,
        line=policy.document.line(("rules", index)),
    )


def conditions(when: When) -> Iterable[Condition]:
    """Yield the conditions that a rule's ``when`` names."""
    if when.sender is not None:
        yield SenderIs(frozenset(str(name) for name in when.sender))
    if when.strength is not None:
        yield StrengthIs(frozenset(when.strength))
    if when.sender_domain is not None:
        yield SenderDomain(when.sender_domain)
    if when.size_over is not None:
        yield SizeOver(when.size_over)
    if when.recipients_over is not None:
        yield RecipientsOver(when.recipients_over)
    yield from _in_header(when)
    if when.calendar is not None:
        days = frozenset(day for span in when.calendar.days for day in span)
        yield Calendar(days, when.calendar.start, when.calendar.end, when.calendar.zone)


def _in_header(when: When) -> Iterable[Condition]:
    for name, globs in (when.header or {}).items():
        yield HeaderMatches(name.lower(), globs)
    if when.auto_submitted is not None:
        yield AutoSubmitted(when.auto_submitted)
    if when.bcc is not None:
        yield BlindCopy(when.bcc)


def action(then: Then) -> Action:
    """Return what a rule has done."""
    if then.refuse is not None:
        return RefuseThen(then.refuse.reply(), then.refuse.text)
    if then.hold is not None:
        return HoldThen(then.hold.moderators, then.hold.hours, then.hold.approvals)
    if then.tag is not None:
        return TagThen(then.tag.name, then.tag.value, then.tag.over_signature)
    if then.rate_limit is not None:
        limit = then.rate_limit
        return RateLimitThen(Rate(limit.messages, limit.per), limit.by == "sender", str(limit.then))
    return AcceptThen()
