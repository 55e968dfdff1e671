"""What is used of authres.core."""

from typing import Self

from authres import FeatureContext

class AuthenticationResultProperty:
    type: str
    name: str
    value: str | None

class AuthenticationResult:
    method: str
    result: str
    properties: list[AuthenticationResultProperty]

class AuthenticationResultsHeader:
    results: list[AuthenticationResult]
    def __init__(self, feature_context: FeatureContext, *, strict: bool = ...) -> None: ...
    @classmethod
    def parse_value(cls, feature_context: FeatureContext, string: str) -> Self: ...
