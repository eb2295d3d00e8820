"""What is to be probed: an address, and the kind of question that its scheme asks for."""

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from frontdesk.errors import Usage

Kind = Literal["http", "tcp", "redis", "postgresql", "sqlite", "process"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_SCHEMES: dict[str, tuple[Kind, int]] = {  # and the port where the address names none
    "http": ("http", 80),
    "https": ("http", 443),
    "tcp": ("tcp", 0),
    "redis": ("redis", 6379),
    "rediss": ("redis", 6379),
    "postgresql": ("postgresql", 5432),
    "postgres": ("postgresql", 5432),
    "postgresql+asyncpg": ("postgresql", 5432),
    "sqlite": ("sqlite", 0),
    "process": ("process", 0),
}
FORMS = "http(s)://…, tcp://host:port, redis(s)://…, postgresql://…, sqlite:///file, process:NAME-or-number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing to probe. `url` holds its password, if it has one; `shown` does not, and is what is printed.

    One that is not `needed` may be away without the whole being unhealthy. `replica`: that it takes no writes is right.
    """

    name: str
    url: str
    kind: Kind
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    path: str = ""
    needed: bool = True
    replica: bool = False

    @property
    def place(self) -> str:
        """`host:port`, or the file, or the process."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.host else self.path

    @property
    def secure(self) -> bool:
        """Whether it is spoken to in TLS."""
        return self.url.startswith(("https:", "rediss:"))

    @property
    def options(self) -> dict[str, str]:
        """What stands behind the question mark."""
        return dict(parse_qsl(urlsplit(self.url).query))

    @property
    def shown(self) -> str:
        """The address without its password and query, which may hold one."""
        scheme = self.url.partition(":")[0]
        if self.kind == "process":
            return f"process:{self.path}"
        path = urlsplit(self.url).path
        return f"{scheme}://{self.place if self.host else ''}{path}"


def target(url: str, *, name: str = "", needed: bool = True, replica: bool = False) -> Target:
    """What `url` names. Raises `Usage` for an address that cannot be probed; its words hold no password."""
    scheme, _, rest = url.partition(":")
    found = _SCHEMES.get(scheme.lower())
    if found is None:
        raise Usage("This address has no form that can be probed", where=_safely(url), hint=f"Take {FORMS}.")
    kind, usual = found
    if kind == "process":
        if not rest.strip("/"):
            raise Usage("A process is named by its number, its program or a file with its number", where=url)
        return Target(name=name or rest, url=url, kind=kind, path=rest, needed=needed)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or usual
    except ValueError as error:
        raise Usage("The port of this address is no number", where=_safely(url)) from error
    if kind == "sqlite":
        return Target(name=name or "sqlite", url=url, kind=kind, path=url.removeprefix("sqlite:///"), needed=needed)
    if not host or not port:
        missing = "port" if host else "host"
        raise Usage(f"This address names no {missing}", where=_safely(url), hint=f"Take {FORMS}.")
    return Target(
        name=name or f"{host}:{port}",
        url=url,
        kind=kind,
        host=host,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        path=parts.path,
        needed=needed,
        replica=replica,
    )


def _safely(url: str) -> str:
    """What may be shown of an address that nobody understands."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2].partition('?')[0]}" if mark else scheme
