"""From what a call asks for to wishes of the membership service, and from what came of it to an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from groupmilter.directory.change import Difference, Meanwhile
from groupmilter.language.catalogue import marked
from groupmilter.mail.shown import spelt_out
from groupmilter.membership.address_book import Known
from groupmilter.membership.service import Groups, Prepared, warned
from groupmilter.membership.vocabulary import LISTS, BadWish, Remark, Several, Single, Wish, written
from groupmilter.membership.wishes import is_name
from groupmilter.panel.api.call import Call
from groupmilter.panel.api.problem import Code, Refusal, Wrong, said
from groupmilter.panel.api.shapes import GroupFields, ListChange

_OTHERS = frozenset({"address", "cn", "under"})
NO_DN = marked("A DN is wanted, such as ou=groups,dc=example,dc=org.")
NOBODY = marked("nobody of the directory has this address")
_SOMEBODY = marked("somebody else")
_MEANWHILE = marked("It is {value} by now.")


def wishes(asked: GroupFields, address: str | None = None) -> Iterator[Wish]:
    """Yield what is wanted: only the fields that were sent.

    :param address: the primary address that is wanted; None: as it is.
    """
    for name in sorted(asked.model_fields_set - _OTHERS):
        yield from _wishes(name, getattr(asked, name))
    if address is not None:
        yield Single("address", address)


def _wishes(name: str, value: object) -> Iterator[Wish]:
    if isinstance(value, ListChange):
        yield Several(name, tuple(value.add), tuple(value.remove))
    elif isinstance(value, list) or (value is None and name in LISTS):
        yield Several(name, tuple(value or ()), exact=True)
    elif isinstance(value, Mapping):
        for language, text in value.items():
            yield Single(f"{name}.{language}" if language else name, text or "")
    elif isinstance(value, bool | int | str) or value is None:
        yield Single(name, written(value))


def possible(
    call: Call,
    service: Groups,
    wanted: Sequence[Wish],
    prepare: Callable[[], tuple[Prepared, tuple[BadWish, ...]]],
) -> Prepared:
    """Return what wishes change; `Refusal` for what can't be had.

    A hidden group that the caller may not know of is nobody, whatever the directory would take.
    """
    unknown = list(_unknown(call, service, wanted))
    if unknown:
        raise refused(unknown, call)
    prepared, problems = prepare()
    if problems:
        raise refused(problems, call)
    return prepared


def _unknown(call: Call, service: Groups, wanted: Sequence[Wish]) -> Iterator[BadWish]:
    several = [wish for wish in wanted if isinstance(wish, Several)]
    added = {text for wish in several for text in wish.add}
    names = {text for text in added if is_name(text)}
    having = service.book.having({text for text in added - names if "@" in text})
    at = service.book.named(names)
    for wish in several:
        for text in wish.add:
            known = (at.get(text),) if text in names else having.get(text, ())
            if not all(each is None or call.knows(each) for each in known):
                yield BadWish(wish.field, text, NOBODY)


def refused(problems: Iterable[BadWish], call: Call) -> Refusal:
    """Return the refusal that says everything that can't be had."""
    return Refusal(Code.INVALID, errors=[_wrong(each, call) for each in problems])


def told(problems: Iterable[BadWish], call: Call) -> list[dict[str, object]]:
    """Return what can't be had, beside what can."""
    return [said(_wrong(each, call), call.translate, call.language) for each in problems]


def _wrong(problem: BadWish, call: Call) -> Wrong:
    return Wrong(problem.field, problem.sentence, _values(problem.values, call), problem.written)


def _values(values: Mapping[str, object], call: Call) -> dict[str, object]:
    """Return a sentence's values; an entry by its address only: its DN is for administrators."""
    known = {
        name: _named(value, call) if isinstance(value, Known) else value for name, value in values.items()
    }
    return {name: spelt_out(value) if isinstance(value, str) else value for name, value in known.items()}


def _named(known: Known, call: Call) -> str:
    return call.named(known.dn) or call.t(_SOMEBODY)


def remarks(prepared: Prepared, call: Call) -> list[str]:
    """Return what should be known of a change, in the language of the call."""
    return [remark(each, call) for each in warned(prepared)]


def remark(each: Remark, call: Call) -> str:
    """Return one thing that should be known, in the language of the call."""
    return call.t(each.sentence, **_values(each.values, call))


def changes(differences: Iterable[Difference]) -> list[dict[str, object]]:
    """Return differences as they are answered, by field."""
    ordered = sorted(differences, key=lambda each: each.field)
    return [
        {"field": each.field, "before": _side(each.before), "after": _side(each.after)} for each in ordered
    ]


def _side(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def overtaken(meanwhile: Meanwhile, asked: Mapping[str, object], now: Mapping[str, object]) -> Refusal:
    """Return the refusal for a single value that somebody else has changed in the same moment."""
    return Refusal(Code.CHANGED, errors=[lost_to(meanwhile)], current=now, wanted=asked)


def lost_to(meanwhile: Meanwhile) -> Wrong:
    """Return what is said of a single value that somebody else has changed in the same moment."""
    return Wrong(meanwhile.field, _MEANWHILE, {"value": written(meanwhile.found)})
