"""What the tests use of dkimpy, which has no types of its own."""

from collections.abc import Callable, Sequence

def sign(
    message: bytes,
    selector: bytes,
    domain: bytes,
    privkey: bytes,
    canonicalize: tuple[bytes, bytes] = ...,
    include_headers: Sequence[bytes] | None = ...,
) -> bytes: ...
def verify(message: bytes, dnsfunc: Callable[..., bytes | None] = ...) -> bool: ...
def rfc822_parse(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]: ...

class MessageFormatError(Exception): ...
