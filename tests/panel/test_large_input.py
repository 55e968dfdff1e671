"""Ten megabytes in a field and in a file: told in the sender's language that it is too much.

Where no page takes that much, it is refused without being held.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from tests.panel.calling import calling
from tests.panel.clubs import dissolved, founded
from tests.panel.house import House, csrf

LARGE = 10_000_000
_PIECE = 50_000
FORM = {"content-type": "application/x-www-form-urlencoded"}
TOO_MUCH = "C’est trop"


@pytest.fixture(scope="module")
def club(home: House) -> Iterator[str]:
    yield founded(home, "large", "description: The large\n")
    dissolved(home, "large")


def streamed(first: bytes, size: int) -> Iterator[bytes]:
    """A body that no sender of it holds as a whole."""
    yield first
    for _ in range(size // _PIECE):
        yield b"x" * _PIECE


@contextmanager
def held() -> Iterator[Callable[[], int]]:
    """How many octets Python held at most, in this process, in which the panel runs."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("page", ["", "/owners", "/delivery", "/moderation"])
def test_a_field_that_is_too_large_is_refused_unread(home: House, club: str, page: str) -> None:
    with home.person("helene", "fr") as helene:
        token = csrf(helene.get(club + page))
        with held() as most:
            body = streamed(f"csrf={token}&description=".encode(), LARGE)
            answer = helene.post(club + page, content=body, headers=FORM)
            assert most() < LARGE / 4
    assert answer.status_code == 413
    assert '<html lang="fr"' in answer.text
    assert TOO_MUCH in answer.text


@pytest.mark.parametrize("as_file", [True, False])
def test_a_list_that_is_too_large_is_told_at_its_field(home: House, club: str, as_file: bool) -> None:
    path = f"{club}/members/import"
    many = b"".join(b"someone-%06d@outside.example\n" % number for number in range(LARGE // 30))
    with home.person("helene", "fr") as helene:
        token = csrf(helene.get(path))
        given = {"file": ("list.txt", many)} if as_file else {"text": (None, many)}
        answer = helene.post(path, data={"csrf": token, "how": "add"}, files=given)
    assert answer.status_code == 422
    assert '<html lang="fr"' in answer.text
    assert 'class="wrong"' in answer.text


def test_a_file_beyond_all_measure_is_refused_unread(home: House, club: str) -> None:
    path = f"{club}/members/import"
    with home.person("helene", "fr") as helene:
        token = csrf(helene.get(path))
        head = (
            f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{token}\r\n'
            '--b\r\nContent-Disposition: form-data; name="file"; filename="list.txt"\r\n\r\n'
        ).encode()
        kind = {"content-type": "multipart/form-data; boundary=b"}
        with held() as most:
            answer = helene.post(path, content=streamed(head, 3 * LARGE), headers=kind)
            assert most() < LARGE / 2
    assert answer.status_code == 413
    assert TOO_MUCH in answer.text


def test_a_call_that_is_too_large_is_refused_unread(home: House, club: str) -> None:
    with calling(home, "helene") as api:
        headers = {"content-type": "application/json", "accept-language": "fr"}
        with held() as most:
            answer: httpx.Response = api.patch(
                club, content=streamed(b'{"description": "', LARGE), headers=headers
            )
            assert most() < LARGE / 4
    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] != "Too large"
