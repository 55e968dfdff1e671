"""An installation whose members' mail fails, and everything that comes of it.

    with failing(EXTRA) as site:
        site.sink.replies[DEAD] = GONE
        site.send(...)
        site.counted(DEAD)

The policy suspends after messages of one day. It fails with what `moderated` fails with.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.moderated import CALM, Moderated, moderated
from tests.support.sink import SunkMessage

from groupmilter.moderation.bounce_book import Failed
from groupmilter.moderation.mailbox import Folder, Maildir

GONE = "550 5.1.1 no such user here"
LATE = "450 4.2.0 come again"


@dataclass
class Failing:
    """What runs together, and questions to it."""

    whole: Moderated

    def send(
        self, sender: str, recipients: Sequence[str], message: bytes, *parameters: str, login: str = "",
        notify: str = "",
    ) -> tuple[str, ...]:  # fmt: skip
        """Send one message; return every reply that its sender saw. `notify`: for each recipient."""
        with self.whole.installation.session(login=login) as session:
            seen = [session.mail(sender, *parameters)]
            words = (f"NOTIFY={notify}", "ORCPT=rfc822;asked@sender.example") if notify else ()
            seen += [session.rcpt(one, *words) for one in recipients]
            seen.append(session.content(message))
            session.quit()
        assert seen[-1].code == 250, seen
        return tuple(map(str, seen))

    def counted(self, address: str, number: int = 1) -> tuple[Failed, ...]:
        """The failures of an address, as soon as there are so many."""
        self.whole.until(lambda: len(self.failures(address)) >= number, f"{number} failures of {address}")
        found = self.failures(address)
        assert len(found) == number
        return found

    def failures(self, address: str) -> tuple[Failed, ...]:
        """The failures of an address so far."""
        return self.whole.ledger.bounces.failures(address)

    def still(self) -> None:
        """Return once neither Postfix nor the desk has anything left: no mail on its way, no letter to be sent."""
        box, letters = Maildir(self.whole.installation.service.hold), self.whole.ledger.letters
        for _ in range(2):
            self.whole.installation.settle()
            self.whole.until(lambda: not any(box.names(Folder.INBOX)), "an empty inbox")
            self.whole.until(lambda: not letters.due(int(time.time()) + 1), "all letters sent")
            time.sleep(0.2)
        self.whole.installation.settle()

    def to(self, address: str) -> list[SunkMessage]:
        """Everything that came to somebody."""
        return self.whole.installation.sink.to(address)

    def reports(self) -> int:
        """How many reports the desk keeps."""
        return sum(1 for _ in Maildir(self.whole.installation.service.hold).names(Folder.REPORTS))


@contextmanager
def failing(*more: str, policy: str = "", main: Mapping[str, str] | None = None) -> Iterator[Failing]:
    """Run the office with more groups, and a policy that suspends after one day."""
    with TemporaryDirectory(prefix="groupmilter-policy-") as folder:
        file = Path(folder, "policy.yaml")
        file.write_text(policy or "bounces: {suspend_after: 1, window: 2d}\n", "utf-8")
        with moderated(*more, options={"policies": [str(CALM), str(file)]}, main=main) as whole:
            yield Failing(whole)
