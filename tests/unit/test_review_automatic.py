"""Found in review: automatic answers as real programs write them."""

import pytest
from tests.support.letters import Office


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # As Dovecot's Pigeonhole writes it; RFC 3834 section 5 allows comments and parameters.
        ("auto_submitted", "auto-replied (vacation)"),
        ("auto_submitted", "(away) Auto-Replied"),
        ("auto_submitted", "auto-replied; owner-email=x"),
        ("content_type", "multipart/report (RFC 6522); report-type=delivery-status"),
        ("content_type", "Multipart/Report;\n\treport-type=delivery-status"),
    ],
)
def test_an_automatic_answer_has_no_business_in_a_group(name: str, value: str) -> None:
    office = Office()
    office.group("contact", "x@out.example")
    letter = office.letter("robot@out.example").to("contact@own.example")
    assert letter.answered(**{name: value}) == "550 5.7.1"


@pytest.mark.parametrize("value", ["auto-generated", "auto-notified (auto-replied)", "no", ""])
def test_what_monitoring_sends_passes(value: str) -> None:
    office = Office()
    office.group("contact", "x@out.example")
    assert office.letter("robot@out.example").to("contact@own.example").answered(auto_submitted=value) == ""
