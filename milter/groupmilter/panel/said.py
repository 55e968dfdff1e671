"""What a page says after something was done on the page before: short keys in the address, sentences here."""

from __future__ import annotations

from groupmilter.language.catalogue import marked

SAID = {
    "saved": marked("Saved."),
    "soon": marked("Saved. It takes a moment until it shows here."),
    "made": marked("The group is made."),
    "made-soon": marked("The group is made. It takes a moment until it stands in the list."),
    "deleted": marked("The group is deleted."),
    "suspended": marked("The group refuses every message now."),
    "resumed": marked("The group accepts messages again."),
    "request-done": marked("The request is accepted, and carried out."),
    "request-rejected": marked("The request is declined."),
    "request-soon": marked(
        "It is accepted, but the directory can't be written at the moment: it follows as soon as it can."
    ),
    "request-failed": marked("It is accepted, but the directory doesn't take it; the journal says why."),
    "request-before": marked("It was decided before; that decision stands."),
    "accepted-before": marked("The request had been accepted already; that stands."),
    "rejected-before": marked("The request had been declined already; that stands."),
    "withdrawn": marked("Your request is withdrawn."),
    "joined": marked("You are a member now."),
    "left": marked("You are no longer a member."),
    "asked": marked("Your request is with the owners; you are told what they decide."),
    "asked-before": marked("You had asked already; the owners decide."),
    "nothing": marked("There was nothing to change."),
    "token-revoked": marked("The token is revoked; nobody can use it any more."),
    "out": marked("You are logged out."),
    "everywhere": marked("You are logged out on all devices."),
    "no-message-chosen": marked("Choose at least one message first."),
    "no-change-chosen": marked("Choose at least one change of a group first."),
    "only-namesakes": marked(
        "These are changes of another group that had this address before. One by one they can be chosen."
    ),
    "message-approved": marked("Approved: the message goes to the group now."),
    "message-counted": marked(
        "Your approval is counted. Approvals of others that are still missing: {number}."
    ),
    "messages-counted": marked(
        "Your approvals are counted. Messages that still need those of others: {number}."
    ),
    "claimed": marked("The others see now that you are dealing with it."),
    "claimed-before": marked(
        "Somebody else was faster, and is dealing with it; you may decide all the same."
    ),
    "claimed-partly": marked("The others see it. Of some, somebody else was faster: the list says who."),
    "given-back": marked("Given back: the others see that you aren't dealing with it."),
    "goes-nowhere": marked(
        "These messages can only be rejected: there is no group any more to which they could go."
    ),
    "message-rejected": marked("Rejected: the message goes to nobody."),
    "messages-approved": marked("Approved: the messages go to their groups now."),
    "messages-rejected": marked("Rejected: the messages go to nobody."),
    "sender-allowed": marked("Approved; from now on what is proven to be his needs no approval."),
    "sender-blocked": marked("Rejected; from now on this sender is blocked."),
    "address-resumed": marked("This address gets group mail again."),
    "address-not-suspended": marked("This address wasn't suspended any more."),
}

NOT_DONE = frozenset(
    {
        "no-message-chosen",
        "no-change-chosen",
        "only-namesakes",
        "goes-nowhere",
        "request-failed",
        "request-before",
        "asked-before",
        "accepted-before",
        "rejected-before",
    }
)
"""Those of them that tell that nothing came of it."""
