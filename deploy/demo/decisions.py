"""The decisions of the demonstration: which held message, who decides, in which way, and what is to come of it.

Pure: data only, nothing can fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deploy.demo.story import DOMAIN, STORY, Expected, Scene, Words

GROUP = f"commercial@{DOMAIN}"
MEMBERS = frozenset({"pierre", "francois"})
MODERATORS = frozenset({"jean", "helene", "sian"})


class Way(StrEnum):
    """How somebody decides."""

    MAIL = "mail"
    LINK = "link"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a held message.

    :param scene: the message.
    :param moderator: log-in of who decides; by command it is whoever may run it.
    :param reason: of a rejection.
    :param delivered: log-ins of those who get it afterwards.
    :param told: log-ins of those who learn of the decision by a letter.
    """

    title: Words
    lesson: Words
    scene: Scene
    way: Way
    moderator: str
    approves: bool = True
    reason: str = ""
    delivered: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()


def _waits(subject: str, text: str, sender: str, login: str | None = None) -> Scene:
    untold = Words("", "")
    return Scene(untold, untold, sender, GROUP, subject, text, Expected("250", "end", held=1), login=login)


DECISIONS = (
    Decided(
        Words("Siân approves it by mail", "Siân l'approuve par courriel"),
        Words(
            "The customer's message. Siân answers from her own log-in, to an address that is hers alone.",
            "Le message du client. Siân répond, identifiée, à une adresse qui n'est qu'à elle.",
        ),
        next(scene for scene in STORY if scene.expected.held),
        Way.MAIL,
        "sian",
        delivered=MEMBERS,
    ),
    Decided(
        Words("Hélène approves another by link", "Hélène en approuve un autre par lien"),
        Words(
            "Opening the page decides nothing: mail scanners open links, too. A word has to be typed.",
            "Ouvrir la page ne décide rien : les antivirus ouvrent aussi les liens. Il faut taper un mot.",
        ),
        _waits("Where is my order?", "Order 4711 has not arrived.", "buyer@customer.example"),
        Way.LINK,
        "helene",
        delivered=MEMBERS,
    ),
    Decided(
        Words("The administrator approves a third", "L'administrateur en approuve un troisième"),
        Words(
            "By command, for when no moderator is at hand.",
            "En ligne de commande, quand aucun modérateur n'est disponible.",
        ),
        _waits("Thank you", "The offer was very good.", "buyer@customer.example"),
        Way.COMMAND,
        "administrator",
        delivered=MEMBERS,
    ),
    Decided(
        Words("Jean rejects Bob's message", "Jean rejette le message de Bob"),
        Words(
            "Bob has logged in, so he is told, with Jean's reason. A stranger never would be: no backscatter.",
            "Bob s'est identifié : il l'apprend, avec le motif de Jean. Un inconnu n'apprendrait rien.",
        ),
        _waits("Selling my car", "Blue, eight years old.", f"bob.petit@{DOMAIN}", "bob"),
        Way.MAIL,
        "jean",
        approves=False,
        reason="This address is for customers. Please use the notice board.",
        told=frozenset({"bob"}),
    ),
)

LEFT_FOR_YOU = _waits("A special request", "Could you call me back?", "buyer@customer.example")
"""The message that is still held when the demonstration hands over."""
