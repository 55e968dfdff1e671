"""Reads files for slapd.conf(5) and for slapd-config(5) into statements and definitions that can be compared.

Only what the tests need: it splits statements and keeps the text of each with its spaces evened out.
Fails with ValueError on a statement that it doesn't know.
"""

import re
from dataclasses import dataclass

_OLC = {
    "olcObjectIdentifier": "objectidentifier",
    "olcAttributeTypes": "attributetype",
    "olcObjectClasses": "objectclass",
    "olcAccess": "access",
    "olcAddContentAcl": "add_content_acl",
    "olcDbIndex": "index",
    "olcLimits": "limits",
    "olcOverlay": "overlay",
    "olcSpCheckpoint": "syncprov-checkpoint",
    "olcSpSessionlog": "syncprov-sessionlog",
}
_KINDS = {"objectidentifier": "macro", "attributetype": "attribute", "objectclass": "class"}


@dataclass(frozen=True, slots=True)
class Definition:
    """One statement: `kind` is macro, attribute or class; `text` what follows the keyword."""

    kind: str
    text: str

    @property
    def oid(self) -> str:
        """The OID as written, with its macro."""
        return self.text.removeprefix("( ").split(" ")[0]

    @property
    def name(self) -> str:
        """The name of an attribute or a class."""
        return self._after("NAME").strip("'")

    @property
    def syntax(self) -> str:
        """The OID of an attribute's syntax."""
        return self._after("SYNTAX")

    @property
    def equality(self) -> str:
        """The name of an attribute's equality rule."""
        return self._after("EQUALITY")

    @property
    def single(self) -> bool:
        """Whether an attribute takes one value only."""
        return " SINGLE-VALUE " in self.text

    def names(self, keyword: str) -> list[str]:
        """The list after MUST or MAY."""
        found = re.search(rf" {keyword} (?:\( ([^)]*) \)|(\S+))", self.text)
        return re.split(r" \$ ", found[1] or found[2]) if found else []

    def _after(self, keyword: str) -> str:
        found = re.search(rf" {keyword} (\S+)", self.text)
        if found is None:
            raise ValueError(f"{self.text}: no {keyword}")
        return found[1]


def conf_statements(text: str) -> list[tuple[str, str]]:
    """Read the form for slapd.conf: statements begin in the first column and go on in indented lines."""
    statements: list[str] = []
    for line in text.splitlines():
        if line[:1].isspace():
            statements[-1] += line
        elif line and not line.startswith("#"):
            statements.append(line)
    return [_statement(*statement.split(maxsplit=1)) for statement in statements]


def ldif_statements(text: str) -> list[tuple[str, str]]:
    """Read the form for cn=config: LDIF (RFC 2849), comments out, lines unfolded, value numbers dropped."""
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    pairs = [line.split(": ", maxsplit=1) for line in bare.replace("\n ", "").splitlines() if ": " in line]
    return [_statement(_OLC[name], re.sub(r"^\{\d+\}", "", value)) for name, value in pairs if name in _OLC]


def definitions_of(statements: list[tuple[str, str]]) -> list[Definition]:
    """Turn the statements of a schema into definitions."""
    unknown = [keyword for keyword, _ in statements if keyword not in _KINDS]
    if unknown:
        raise ValueError(f"no statements of a schema: {unknown}")
    return [Definition(_KINDS[keyword], text) for keyword, text in statements]


def _statement(keyword: str, text: str) -> tuple[str, str]:
    return keyword, {"TRUE": "on"}.get(text, " ".join(text.split()))
