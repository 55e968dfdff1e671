"""The settings of a test's slapd, and the cn=config LDIF (slapd-config(5)) that they make.

Pure text; a value that slapd can't take shows when slapadd loads it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

SCHEMA = Path(__file__).resolve().parents[2] / "ldap_schema" / "openldap" / "groupmilter.ldif"
DEBIAN_SCHEMA = ("core", "cosine", "nis", "inetorgperson", "misc", "dyngroup")
DEFAULT_ACCESS = (
    "to attrs=userPassword by self write by anonymous auth by * none",
    "to * by * read",
)
DEFAULT_INDEXES = (
    "objectClass,entryUUID,entryCSN eq",
    "cn,uid,mail eq,sub",
    "member,owner eq",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What can differ from one slapd to the next.

    `size_limit` is for all but the root account, in entries ("unlimited", or as olcSizeLimit takes it, for
    instance "size.soft=50 size.pr=10"); `time_limit` in seconds or "unlimited"; `session_log` in operations
    (0: syncprov without one); `checkpoint` in operations and minutes; `max_size` of the database in bytes;
    `require_tls` refuses simple binds without TLS; `extra` is more LDIF for cn=config.
    """

    suffix: str = "dc=masociete,dc=example"
    password: str = "secret"
    schema: bool = True
    standard_schema: tuple[str, ...] = DEBIAN_SCHEMA
    access: tuple[str, ...] = DEFAULT_ACCESS
    indexes: tuple[str, ...] = DEFAULT_INDEXES
    modules: tuple[str, ...] = ("back_mdb", "syncprov")
    syncprov: bool = True
    session_log: int = 1000
    checkpoint: tuple[int, int] | None = None
    size_limit: str = "unlimited"
    time_limit: str = "unlimited"
    tls: bool = False
    certificate_names: str = "IP:127.0.0.1,DNS:localhost"
    require_tls: bool = False
    log_level: str = "0"
    max_size: int = 1 << 30
    extra: str = ""

    @property
    def root_dn(self) -> str:
        """The DN of the account that may do everything."""
        return f"cn=admin,{self.suffix}"


def configuration_ldif(settings: Settings, directory: Path) -> str:
    """Return the whole cn=config for a slapd that lives in `directory`."""
    parts = [
        _global(settings, directory),
        _modules(settings),
        _schema(settings),
        _config_database(),
        _database(settings, directory),
    ]
    if settings.syncprov:
        parts.append(_syncprov(settings))
    return "\n\n".join([*parts, settings.extra]) + "\n"


def _global(settings: Settings, directory: Path) -> str:
    lines = [
        "dn: cn=config",
        "objectClass: olcGlobal",
        "cn: config",
        f"olcPidFile: {directory}/slapd.pid",
        f"olcArgsFile: {directory}/slapd.args",
        "olcThreads: 4",
        "olcToolThreads: 1",
    ]
    if settings.tls:
        lines += [
            f"olcTLSCACertificateFile: {directory}/tls/ca.pem",
            f"olcTLSCertificateFile: {directory}/tls/server.pem",
            f"olcTLSCertificateKeyFile: {directory}/tls/server.key",
            "olcTLSVerifyClient: never",
        ]
    if settings.require_tls:
        lines.append("olcSecurity: simple_bind=1")
    return "\n".join(lines)


def _modules(settings: Settings) -> str:
    lines = [
        "dn: cn=module,cn=config",
        "objectClass: olcModuleList",
        "cn: module",
        "olcModulePath: /usr/lib/ldap",
    ]
    return "\n".join([*lines, *(f"olcModuleLoad: {name}" for name in settings.modules)])


def _schema(settings: Settings) -> str:
    files = [Path("/etc/ldap/schema") / f"{name}.ldif" for name in settings.standard_schema]
    if settings.schema:
        files.append(SCHEMA)
    root = "dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema"
    return "\n\n".join([root, *(path.read_text(encoding="utf-8").strip() for path in files)])


def _config_database() -> str:
    peer = f"gidNumber={os.getgid()}+uidNumber={os.getuid()},cn=peercred,cn=external,cn=auth"
    return (
        "dn: olcDatabase=config,cn=config\nobjectClass: olcDatabaseConfig\nolcDatabase: config\n"
        f"olcAccess: to * by dn.exact={peer} manage by * none"
    )


def _database(settings: Settings, directory: Path) -> str:
    lines = [
        "dn: olcDatabase=mdb,cn=config",
        "objectClass: olcDatabaseConfig",
        "objectClass: olcMdbConfig",
        "olcDatabase: mdb",
        f"olcDbDirectory: {directory}/database",
        f"olcDbMaxSize: {settings.max_size}",
        "olcDbNoSync: TRUE",
        f"olcSuffix: {settings.suffix}",
        f"olcRootDN: {settings.root_dn}",
        f"olcRootPW: {settings.password}",
        f"olcSizeLimit: {settings.size_limit}",
        f"olcTimeLimit: {settings.time_limit}",
    ]
    lines += [f"olcDbIndex: {index}" for index in settings.indexes]
    return "\n".join([*lines, *(f"olcAccess: {rule}" for rule in settings.access)])


def _syncprov(settings: Settings) -> str:
    lines = [
        "dn: olcOverlay=syncprov,olcDatabase={1}mdb,cn=config",
        "objectClass: olcOverlayConfig",
        "objectClass: olcSyncProvConfig",
        "olcOverlay: syncprov",
    ]
    if settings.session_log:
        lines.append(f"olcSpSessionlog: {settings.session_log}")
    if settings.checkpoint is not None:
        lines.append(f"olcSpCheckpoint: {settings.checkpoint[0]} {settings.checkpoint[1]}")
    return "\n".join(lines)
