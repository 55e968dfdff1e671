"""What is used of dkimpy, which has no types of its own."""

from collections.abc import Callable, Sequence
from hashlib import _Hash as Hash

from dkim.canonicalization import CanonicalizationPolicy

class DKIMException(Exception): ...
class MessageFormatError(DKIMException): ...

Key = dict[str, int]

class DKIM:
    headers: list[list[bytes]]
    body: bytes
    hasher: Callable[[bytes], Hash]
    pk: Key
    keysize: int
    ktag: bytes
    seqtlsrpt: bool
    def __init__(
        self, message: bytes | None = ..., *, minkey: int = ..., signature_algorithm: bytes = ...
    ) -> None: ...
    def verify_headerprep(
        self, idx: int = ...
    ) -> tuple[dict[bytes, bytes], list[bytes], list[tuple[bytes, bytes]]] | None: ...
    def verify_sig_process(
        self,
        sig: dict[bytes, bytes],
        include_headers: list[bytes],
        sig_header: tuple[bytes, bytes],
        dnsfunc: None,
    ) -> bool: ...
    def gen_header(
        self,
        fields: list[tuple[bytes, bytes]],
        include_headers: list[bytes],
        canon_policy: CanonicalizationPolicy,
        header_name: bytes,
        pk: dict[str, int],
    ) -> bytes: ...

def evaluate_pk(name: str, s: bytes) -> tuple[Key | object, int, bytes, bool]: ...
def sign(
    message: bytes,
    selector: bytes,
    domain: bytes,
    privkey: bytes,
    canonicalize: tuple[bytes, bytes] = ...,
    include_headers: Sequence[bytes] | None = ...,
) -> bytes: ...
def arc_sign(
    message: bytes,
    selector: bytes,
    domain: bytes,
    privkey: bytes,
    srv_id: bytes,
    signature_algorithm: bytes = ...,
    include_headers: Sequence[bytes] | None = ...,
) -> list[bytes]: ...
def arc_verify(
    message: bytes, dnsfunc: Callable[..., bytes | None] = ...
) -> tuple[bytes | None, list[object], str]: ...
def verify(message: bytes, dnsfunc: Callable[..., bytes | None] = ...) -> bool: ...
def rfc822_parse(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]: ...
