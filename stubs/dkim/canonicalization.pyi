"""What the tests use of dkimpy's canonicalisation."""

from typing import Self

class CanonicalizationPolicy:
    @classmethod
    def from_c_value(cls, c: bytes) -> Self: ...
    def canonicalize_body(self, body: bytes) -> bytes: ...

class Simple:
    @staticmethod
    def canonicalize_body(body: bytes) -> bytes: ...

class Relaxed:
    @staticmethod
    def canonicalize_body(body: bytes) -> bytes: ...
