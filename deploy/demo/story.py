"""The five messages of the demonstration, and what is to become of each. Pure: data only, nothing can fail.

The people and groups are those of ldap_schema/openldap/sample.ldif.
"""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN = "masociete.example"
OUTSIDE = "203.0.113.9"


@dataclass(frozen=True, slots=True)
class Words:
    """The same sentence in both languages of the project."""

    en: str
    fr: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to become of a message.

    :param reply: how the deciding reply begins, such as ``550 5.7.1``; it comes to RCPT or to the last dot.
    :param at: ``rcpt`` or ``end``.
    :param delivered: log-ins of those in whose mailboxes a copy arrives, one each.
    :param held: how many copies arrive in the hold mailbox.
    """

    reply: str
    at: str
    delivered: frozenset[str] = frozenset()
    held: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """One message.

    :param login: who logs in; None: a stranger's server, from the client address.
    :param sender: envelope sender and author.
    :param lesson: why this is telling.
    :param text: the message's own.
    """

    title: Words
    lesson: Words
    sender: str
    group: str
    subject: str
    text: str
    expected: Expected
    login: str | None = None

    @property
    def client(self) -> str | None:
        """The client's address where it is a stranger."""
        return None if self.login else OUTSIDE

    def content(self) -> bytes:
        """The message, ready for DATA."""
        lines = (
            f"From: <{self.sender}>",
            f"To: <{self.group}>",
            f"Subject: {self.subject}",
            "",
            self.text,
            "",
        )
        return "\r\n".join(lines).encode("ascii")


STORY = (
    Scene(
        Words("Alice writes to contact@", "Alice écrit à contact@"),
        Words(
            "She has logged in, so she may write to an internal group. Each member gets one copy.",
            "Elle s'est identifiée : elle peut écrire à un groupe interne. Chaque membre reçoit un exemplaire.",
        ),
        f"alice.martin@{DOMAIN}",
        f"contact@{DOMAIN}",
        "Lunch?",
        "At noon, as always?",
        Expected("250", "end", frozenset({"jean", "pierre"})),
        login="alice",
    ),
    Scene(
        Words("An outsider writes to contact@", "Un inconnu écrit à contact@"),
        Words(
            "Groups are internal unless their owner says otherwise. The answer comes before any content is sent.",
            "Un groupe est interne sauf avis contraire du propriétaire. La réponse précède tout contenu.",
        ),
        "someone@outside.example",
        f"contact@{DOMAIN}",
        "An offer",
        "We sell what you need.",
        Expected("550 5.7.1", "rcpt"),
    ),
    Scene(
        Words("The same outsider claims to be Jean", "Le même inconnu se fait passer pour Jean"),
        Words(
            "MAIL FROM and From are claims that anybody can make. Without a log-in he stays an outsider.",
            "MAIL FROM et From ne prouvent rien. Sans s'être identifié, il reste un inconnu.",
        ),
        f"jean.dupont@{DOMAIN}",
        f"contact@{DOMAIN}",
        "Urgent payment",
        "Pay at once, and tell nobody.",
        Expected("550 5.7.1", "rcpt"),
    ),
    Scene(
        Words("A customer writes to commercial@", "Un client écrit à commercial@"),
        Words(
            "This group takes outsiders' mail once a moderator approves it. It waits in the hold mailbox.",
            "Ce groupe accepte l'extérieur, avec l'accord d'un modérateur. Le message attend.",
        ),
        "buyer@customer.example",
        f"commercial@{DOMAIN}",
        "Request for an offer",
        "Could you send us an offer for 200 chairs?",
        Expected("250", "end", held=1),
    ),
    Scene(
        Words("The administrator writes to tous@", "L'administrateur écrit à tous@"),
        Words(
            "It nests contact@, two dynamic groups and equipe@, which nests tous@ again. Each person gets one copy.",
            "Il contient contact@, deux groupes dynamiques et equipe@, qui contient tous@. Un seul exemplaire chacun.",
        ),
        f"administrator@{DOMAIN}",
        f"tous@{DOMAIN}",
        "Holidays",
        "The office is closed from 24 December to 2 January.",
        Expected("250", "end", frozenset({"jean", "pierre", "francois", "aoife", "alice", "sian", "zoe"})),
        login="administrator",
    ),
)
