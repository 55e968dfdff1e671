"""Which call of the API does what a page or a command does; where there is none, the reason why.

`test_api_twins` compares both tables with what there is: whatever is new comes in here, with its twin or a reason.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Twin:
    """Operations of the API (``operationId``) that do the same, by one service."""

    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Nothing of the API does this, for a reason."""

    reason: str


def twin(*calls: str) -> Twin:
    """Name what does the same."""
    return Twin(calls)


BROWSER = Without("a browser's own: a program comes with a token, and has neither log-in nor session")
TOKENS = Without(
    "whoever holds a token must not get another from it, nor one that lasts longer or may do more: tokens are made, "
    "listed and ended by their person, logged in, or on the server"
)
QUESTION = Without("asks before a form is sent; a program has `dry_run`, or simply doesn't call")
SERVER = Without("for whoever runs the server: files, keys and processes of the installation")

PAGES: dict[str, Twin | Without] = {
    "GET /": Without("leads on to the groups"),
    "GET /login": BROWSER,
    "POST /login": BROWSER,
    "POST /logout": BROWSER,
    "GET /groups": twin("listGroups"),
    "GET /groups/new": QUESTION,
    "POST /groups/new": twin("createGroup"),
    "GET /groups/{group}": twin("getGroup"),
    "POST /groups/{group}": twin("changeGroup"),
    "GET /groups/{group}/owners": twin("getGroup"),
    "POST /groups/{group}/owners": twin("changeGroup"),
    "GET /groups/{group}/delivery": twin("getGroup"),
    "POST /groups/{group}/delivery": twin("changeGroup"),
    "GET /groups/{group}/moderation": twin("getGroup"),
    "POST /groups/{group}/moderation": twin("changeGroup"),
    "GET /groups/{group}/suspend": QUESTION,
    "POST /groups/{group}/suspend": twin("changeGroup"),
    "GET /groups/{group}/resume": QUESTION,
    "POST /groups/{group}/resume": twin("changeGroup"),
    "GET /groups/{group}/delete": QUESTION,
    "POST /groups/{group}/delete": twin("deleteGroup"),
    "GET /groups/{group}/members": twin("listMembers"),
    "POST /groups/{group}/members": twin("changeMembers", "importMembers"),
    "POST /groups/{group}/members/contact": twin("createContact"),
    "POST /groups/{group}/members/remove": twin("changeMembers", "changeGroup"),
    "GET /groups/{group}/members/dynamic": twin("previewMembers", "getGroup"),
    "POST /groups/{group}/members/dynamic": twin("changeGroup"),
    "GET /groups/{group}/members/import": QUESTION,
    "POST /groups/{group}/members/import": twin("importMembers"),
    "GET /groups/{group}/members/export": twin("exportMembers"),
    "GET /groups/{group}/membership": twin("getGroup", "listRequests"),
    "POST /groups/{group}/membership": twin("changeGroup"),
    "GET /pick": twin("listPeople"),
    "GET /mine": twin("listGroups", "getMembership"),
    "GET /mine/{group}/{wanted}": twin("getMembership"),
    "POST /mine/{group}/{wanted}": twin("joinGroup", "leaveGroup"),
    "GET /requests": twin("listRequests"),
    "POST /requests/{request}": twin("decideRequest"),
    "POST /requests/{request}/withdraw": twin("withdrawRequest"),
    "GET /held": twin("listHeld"),
    "POST /held": twin("decideSeveralHeld"),
    "GET /held/{name}": twin("getHeld", "getHeldMessage"),
    "POST /held/{name}": twin("decideHeld"),
    "POST /held/{name}/claim": twin("claimHeld"),
    "POST /held/{name}/give-back": twin("giveBackHeld"),
    "GET /held/{name}/html": Without("HTML for a frame of that page; a program has the message as it came"),
    "GET /held/{name}/original": twin("getHeldMessage"),
    "GET /explain": twin("explainGroup"),
    "GET /status": twin("getStatus", "getDays", "getMirrorHistory", "listBounces"),
    "GET /status/findings": twin("listFindings"),
    "POST /status/resume": twin("resumeDelivery"),
    "GET /audit": twin("listAudit"),
    "GET /audit/export": twin("exportAudit"),
    "POST /audit/undo": twin("undoChanges"),
    "GET /trace": twin("getTrace"),
    "GET /account": twin("getMe"),
    "GET /account/tokens": TOKENS,
    "POST /account/tokens": TOKENS,
    "POST /account/tokens/revoke": TOKENS,
}
"""Every page and form of the panel, by method and path."""

COMMANDS: dict[str, Twin | Without] = {
    "group list": twin("listGroups"),
    "group show": twin("getGroup"),
    "group create": twin("createGroup"),
    "group edit": twin("changeGroup"),
    "group delete": twin("deleteGroup"),
    "group add": twin("changeMembers", "changeGroup"),
    "group remove": twin("changeMembers", "changeGroup"),
    "group suspend": twin("changeGroup"),
    "group resume": twin("changeGroup"),
    "group export": twin("exportGroups"),
    "group import": twin("importGroups"),
    "requests list": twin("listRequests"),
    "requests show": twin("getRequest"),
    "requests accept": twin("decideRequest"),
    "requests reject": twin("decideRequest"),
    "held list": twin("listHeld"),
    "held show": twin("getHeld", "getHeldMessage"),
    "held approve": twin("decideHeld", "decideSeveralHeld"),
    "held reject": twin("decideHeld", "decideSeveralHeld"),
    "held release-all": Without(
        "decides for everybody, on the server; a person decides about what he was shown"
    ),
    "held rebuild": SERVER,
    "bounces list": twin("listBounces"),
    "bounces show": twin("getBounces"),
    "bounces suspend": twin("suspendDelivery"),
    "bounces resume": twin("resumeDelivery"),
    "audit": twin("listAudit", "exportAudit"),
    "audit undo": twin("undoChanges"),
    "trace": twin("getTrace"),
    "explain": twin("explainGroup"),
    "token create": TOKENS,
    "token list": TOKENS,
    "token revoke": TOKENS,
    "status": twin("getStatus"),
}
"""The commands about groups, mail and people; whatever else there is, is `SERVER`."""
