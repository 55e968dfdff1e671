"""The desk's process."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.bootstrap.dividing import Dividing
from groupmilter.bootstrap.enrolment import at_the_desk
from groupmilter.bootstrap.moderation import decisions, door, rebuilding
from groupmilter.bootstrap.parts import (
    administrations,
    ledger,
    mailbox,
    mirror_age,
    mirror_ages,
    snapshots,
    ticket_keys,
    trust,
)
from groupmilter.config.keys import read_secret
from groupmilter.config.reload import Configuration
from groupmilter.directory.ages import NEVER
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.answers import Answers, Others
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.authenticator import Authenticator
from groupmilter.moderation.bouncing import Bouncing
from groupmilter.moderation.circle import Lookups, called
from groupmilter.moderation.claiming import Claiming
from groupmilter.moderation.correspondence import Correspondence
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.desk import Desk
from groupmilter.moderation.entitlement import Sparing
from groupmilter.moderation.intake import Intake
from groupmilter.moderation.item import Item
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.letters import Letters
from groupmilter.moderation.outgoing import Outgoing
from groupmilter.moderation.release import Releases
from groupmilter.moderation.returned import Returned
from groupmilter.moderation.submission import Submitter
from groupmilter.moderation.tidying import Tidying
from groupmilter.moderation.weekly import Weekly
from groupmilter.mta.site import Site
from groupmilter.policy.reasons import reason
from groupmilter.policy.replies import contact_for
from groupmilter.policy.settings import Expiry
from groupmilter.supervision.channel import Channel

_MINUTE = 60.0


def moderating(
    configuration: Configuration, logins: socket.socket, log: FilteringBoundLogger
) -> Callable[[Channel], int]:
    """Return what runs the desk.

    :param logins: the listening socket at which the MTA asks whether a login is ours.
    """
    return _Moderating(configuration, logins, log).run


def desk(configuration: Configuration, opened: Ledger, log: FilteringBoundLogger) -> Desk:
    """Return the desk of a configuration."""
    return _Wiring(configuration, opened, log).desk()


@dataclass(frozen=True, slots=True)
class _Moderating:
    configuration: Configuration
    logins: socket.socket
    log: FilteringBoundLogger

    def run(self, channel: Channel) -> int:
        """Look after held mail until told to drain."""
        stop = threading.Event()
        threading.Thread(target=self._record_ages, args=(stop,), name="mirror age", daemon=True).start()
        opened = ledger(self.configuration)
        worked = desk(self.configuration, opened, self.log)
        logins = self._answer_logins()
        thread = threading.Thread(target=worked.run, args=(stop,), name="desk", daemon=True)
        thread.start()
        channel.ready()
        while thread.is_alive() and logins.is_alive() and channel.wait(1.0) is None:
            channel.alive()
        channel.draining()
        stop.set()
        thread.join(20.0)
        opened.close()
        return 0

    def _record_ages(self, stop: threading.Event) -> None:
        """Record each minute how old the mirror is: here, since it matters most while nobody keeps it.

        In a thread of its own, so that a turn of the desk that waits for a server leaves no gap.
        """
        recorded, attempts = mirror_ages(self.configuration), Attempts(self.log)

        def note(*, first: bool = False) -> None:
            now = time.time()
            age = mirror_age(self.configuration, now)
            # At the very first start the mirror is still being loaded: the next minute tells.
            if not (first and age == NEVER):
                recorded.note(now, age)

        attempts.step("record the mirror's age", lambda: note(first=True))
        while not stop.wait(_MINUTE - time.time() % _MINUTE):
            attempts.step("record the mirror's age", note)

    def _answer_logins(self) -> threading.Thread:
        """Answer the MTA for as long as this process lives: the desk may still be sending while it drains."""
        release = self.configuration.site.service.release
        authenticator = Authenticator(
            self.logins, release.login, lambda: read_secret(release.secret_file), self.log
        )
        thread = threading.Thread(
            target=authenticator.run, args=(threading.Event(),), name="logins", daemon=True
        )
        thread.start()
        return thread


@dataclass(frozen=True, slots=True)
class _Wiring:
    configuration: Configuration
    opened: Ledger
    log: FilteringBoundLogger

    def desk(self) -> Desk:
        configuration, settings = self.configuration, self.configuration.settings
        decided, keys = decisions(configuration, self.opened), ticket_keys(configuration.keys)
        lookups, box, letters = decided.lookups, mailbox(configuration), self._letters()
        made: list[Desk] = []

        def held(item: Item) -> None:
            made[0].held(item)

        attempts = Attempts(self.log)
        enrolling = at_the_desk(configuration, self.opened, attempts, self.log)
        answers = self._answers(decided, enrolling.mailed)
        bouncing = Bouncing(self.opened, lookups, settings, time.time, self.log)
        weekly = self._weekly(lookups, letters)
        submitter = Submitter(door(configuration))
        correspondence = Correspondence(
            self.opened, box, lookups, decided, letters, weekly, submitter, keys, settings.service_domain,
            self._panel, lambda group: contact_for(group, settings), settings.moderation.letters_per_hour, time.time,
            self.log, enrolling.letters,
        )  # fmt: skip
        intake = Intake(
            box, self.opened, lookups, keys, settings, answers, held,
            Returned(correspondence, keys, bouncing.take, self.log).take, time.time, self.log,
        )  # fmt: skip
        releases = Releases(
            self.opened, submitter, Dividing(self._site()), keys, settings.service_domain,
            time.time, lambda: secrets.randbits(32), self.log,
        )  # fmt: skip
        outgoing = Outgoing(
            self.opened, box, lookups, releases, letters, submitter, settings,
            lambda number: reason(number, settings.rules), socket.getfqdn(), time.time, self.log,
        )  # fmt: skip
        tidying = Tidying(box, self.opened, lookups, settings, time.time, self.log, attempts)
        worked = Desk(
            box, self.opened, lookups, intake, correspondence, outgoing,
            rebuilding(configuration, self.opened, self.log), bouncing, weekly, tidying, settings, time.time, self.log,
            attempts, (*enrolling.steps, ("end claims", Claiming(self.opened, decided, time.time).tidy)),
        )  # fmt: skip
        made.append(worked)
        return worked

    @property
    def _panel(self) -> str:
        """The URL to which links in letters lead; empty where there are none."""
        url = self.configuration.site.panel.url if self.configuration.settings.moderation.links else None
        return url or ""

    def _answers(self, decided: Decisions, others: Others) -> Answers:
        require = Sparing(decided.require, time.monotonic)
        return Answers(self.opened, decided.lookups, decided, time.time, require, others)

    def _weekly(self, lookups: Lookups, letters: Letters) -> Weekly:
        settings = self.configuration.settings
        return Weekly(
            self.opened, lookups, settings, letters, administrations(self.configuration),
            lambda group: contact_for(group, settings), time.time,
        )  # fmt: skip

    def _site(self) -> Site:
        configuration = self.configuration
        return Site(
            configuration.settings, snapshots(configuration), ticket_keys(configuration.keys),
            trust(configuration), waiting=self.opened.waiting, suspended=self.opened.bounces.suspended,
        )  # fmt: skip

    def _letters(self) -> Letters:
        settings = self.configuration.settings
        moderation, language = settings.moderation, settings.texts.language
        releases, lookups = moderation.expiry is Expiry.RELEASE, snapshots(self.configuration)
        return Letters(
            settings.service_domain, moderation.largest_attachment, catalogue(), language, releases,
            called=lambda address: called(address, lookups),
        )  # fmt: skip
