"""Where the shipped files are: policies, directory profiles, LDAP schema.

They stand at the top of the source tree, where administrators look for them, and a wheel puts them under
``share/groupmilter`` of its prefix (setup.cfg, ``data_files``). An editable installation and a checkout use
the source tree itself. A file in neither place is a `FileNotFoundError` that names both.
"""

from __future__ import annotations

import sysconfig
from enum import StrEnum
from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[3]


class Kind(StrEnum):
    """A folder of shipped files, as it is called below both roots."""

    POLICIES = "policies"
    EXAMPLES = "policies/examples"
    PROFILES = "ldap_schema/profiles"
    SCHEMA = "ldap_schema/openldap"


def resource(kind: Kind, name: str) -> Path:
    """Return the path of a shipped file.

    :param name: the file's name, such as ``default.yaml``; never a path.
    :raises FileNotFoundError: where it isn't shipped, or the name is a path.
    """
    if Path(name).name != name:
        raise FileNotFoundError(f"{name!r} is no plain file name")
    for root in roots():
        path = root / kind / name
        if path.is_file():
            return path
    raise FileNotFoundError(f"{kind}/{name} is in none of {', '.join(map(str, roots()))}")


def roots() -> tuple[Path, ...]:
    """Return the folders that may hold shipped files, the source tree first where this is one."""
    installed = Path(sysconfig.get_path("data")) / "share" / "groupmilter"
    return (_SOURCE, installed) if (_SOURCE / "setup.cfg").is_file() else (installed,)
