"""One Postfix with a listener for each way of handling a message, so that the ways can be measured in turns.

All lanes share the machine, the queue and the sink; only their milter (or their alias table) differs.
`in_flow_delay` is off, since it holds back acceptance by a second when deliveries lag; nothing else that
matters for durability is touched: the queue is on disk and each message is synced before its 250.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.contenders import Address
from tests.benchmarks.ours import MESSAGE_SIZE_LIMIT
from tests.benchmarks.population import DOMAIN, SUFFIX
from tests.support.ports import LOOPBACK, free_port
from tests.support.postfix import Postfix

SENDER = "sender@example.net"


@dataclass(frozen=True, slots=True)
class Lane:
    """A listener: `milter` sees its mail, or `aliases` (a Postfix table) rewrites it, or neither.

    `hold` puts accepted mail into the hold queue, so that no delivery runs beside the next measurement.
    """

    name: str
    milter: Address | None = None
    aliases: str = ""
    hold: bool = False
    port: int = 0


def with_port(lane: Lane) -> Lane:
    """The lane on a free port."""
    return Lane(lane.name, lane.milter, lane.aliases, lane.hold, free_port())


def start(lanes: Sequence[Lane], sink_port: int | None) -> Postfix:
    """A Postfix (a context manager, not started yet) with these lanes."""
    return Postfix(
        sink_port=sink_port,
        local_domains=(DOMAIN,),
        hostname=f"mx.{DOMAIN}",
        service_domain=f"groups.{DOMAIN}",
        main={
            "default_process_limit": "200",
            "in_flow_delay": "0",
            "message_size_limit": str(MESSAGE_SIZE_LIMIT),
        },
        master=[line for number, lane in enumerate(lanes) for line in _services(lane, number)],
    )


def _services(lane: Lane, number: int) -> list[str]:
    options = [
        f"smtpd_milters={lane.milter.postfix if lane.milter else ''}",
        f"cleanup_service_name=cleanup{number}",
    ]
    if lane.hold:
        options.append("smtpd_client_restrictions=static:HOLD")
    aliases = [f"virtual_alias_maps={lane.aliases}", "virtual_alias_expansion_limit=1000000"]
    return [
        f"{LOOPBACK}:{lane.port} inet n - n - - smtpd\n" + _options(options).rstrip("\n"),
        f"cleanup{number} unix n - n - 0 cleanup\n" + _options(aliases).rstrip("\n"),
    ]


def _options(options: Sequence[str]) -> str:
    return "".join(f"  -o {option}\n" for option in options)


def ldap_table(slapd_uri: str, directory: Path) -> str:
    """Write Postfix's own group expansion (ldap_table(5)): each member's DN is read for its address."""
    file = directory / "groups-ldap.cf"
    file.write_text(
        f"server_host = {slapd_uri}\nversion = 3\nbind = no\ntimeout = 60\n"
        f"search_base = ou=groups,{SUFFIX}\nscope = sub\nquery_filter = (mail=%s)\n"
        "result_attribute = dgMemberAddress\nspecial_result_attribute = member\nleaf_result_attribute = mail\n"
    )
    directory.chmod(0o755)
    return f"ldap:{file}"
