"""What the operator of an installation chooses: one frozen object, read once from the environment (``DISPATCH_*``).

What a *market* chooses is :class:`dispatch.model.MarketSettings`. Every variable carries its description, from which
docs/reference/settings.md is written (``python -m dispatch settings-docs``). Units are in the names: ``_s`` seconds, ``_mb`` MiB.
"""

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dispatch.errors import ConfigError
from dispatch.market_reference import section

Profile = Literal["durable", "dev"]  # what the store promises about an acknowledged write (DESIGN section 4)
PREFIX = "DISPATCH_"
FREE_PORTS = range(20_000, 30_000)  # below those that the kernel gives to outgoing connections


def _store_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://", "valkey://", "valkeys://")):
        raise ValueError("a store URL begins with redis://, rediss:// (TLS) or unix://")
    return url.replace("valkey", "redis", 1) if url.startswith("valkey") else url


def _device_url(url: str) -> str:
    if not url.startswith(("ws://", "wss://")):
        raise ValueError(f"an address for devices begins with wss:// (or ws://, on this machine), this does not: {url}")
    return url


def _token_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError(f"an address for tokens begins with https:// (http:// only on this machine), this does not: {url}")
    return url


DeviceUrl = Annotated[str, AfterValidator(_device_url)]
TokenUrl = Annotated[str, AfterValidator(_token_url)]


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _origin(text: str) -> str:
    if not text.startswith(("http://", "https://")) or text.count("/") > 2:
        raise ValueError(f"an origin is scheme://host[:port] without a path, this is not: {text}")
    return text


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("a URL begins with https:// (or http://, on a machine of your own)")
    return url


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"an address or a network such as 10.0.0.0/8 (no bits set behind the slash), this is not: {text}") from None


Port = Annotated[int, Field(ge=0, le=65_535)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The settings of one process. Build it with :func:`read`, which turns what is wrong into a ConfigError."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True)

    redis_url: StoreUrl | None = Field(
        None, description="Valkey or Redis (7.0 or later) to use. Without it `serve` starts the embedded Valkey."
    )
    data_dir: Path = Field(Path(".dispatch"), description="Folder of the embedded store, of made keys and of the archive.")
    profile: Profile = Field(
        "durable", description="What the store must promise: `durable` keeps every acknowledged write, `dev` may lose the last second."
    )
    store_memory_mb: int | None = Field(
        None, ge=64, description="Memory limit of the embedded store; at the limit writes are refused, nothing is evicted."
    )
    http_host: str = Field("127.0.0.1", description="Address on which the HTTP interface listens.")
    http_port: Port = Field(8080, description="Port of the HTTP interface; 0 takes a free one.")
    device_host: str = Field("127.0.0.1", description="Address on which the gateway listens for devices.")
    device_port: Port = Field(8081, description="Port of the gateway; 0 takes a free one.")
    device_url: DeviceUrl | None = Field(
        None,
        description="Address of the gateway for the provider's page, `wss://host/v1/device`. Default: the device port at the page's host.",
    )
    token_url: TokenUrl | None = Field(
        None,
        description="Where the provider's page fetches device tokens from your back end, with its cookies. Default: links bring them.",
    )
    ops_host: str = Field("127.0.0.1", description="Address for the port below.")
    ops_port: Port | None = Field(
        None, description="Port for `/livez`, `/readyz` and `/metrics` of an api, gateway or worker that runs apart. Default: none."
    )
    peers: Names = Field(
        (),
        description="Where the api finds metrics of other processes, to add to its own: `name=host:port,...`. `serve` fills it in.",
    )
    dev: bool = Field(False, description="Development mode: fixed key `dev-key`, loopback only, no caps per address. Never in production.")
    jwt_keys_file: Path | None = Field(
        None, description="File of the keys that sign device tokens. Default: `jwt-keys.json` in the data folder, made on first start."
    )
    data_sets: Path | None = Field(
        None, description="Folder of the gazetteer's data sets. Default: `shared/data` beside the project, when it is there."
    )
    archive_dir: Path | None = Field(None, description="Folder of sealed event segments. Default: `archive` in the data folder.")
    clock_speed: float = Field(
        1.0, gt=0, le=10_000, description="Engine seconds that pass in a second of wall time. Other than 1 only with DISPATCH_DEV."
    )
    origins: Origins = Field(
        (), description="Browser origins that may open a device socket, comma separated, each exactly as a browser sends it."
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses or networks of your proxies, comma separated. Of a connection from there the last address in its "
        "`X-Forwarded-For` that is none of them counts.",
    )
    address_links: int = Field(
        1_000, ge=0, description="Most device sockets of one address (of one /64 network with IPv6) at a gateway; 0: no cap. "
        "Under DISPATCH_DEV loopback is exempt."
    )  # fmt: skip
    address_upgrades: int = Field(1_200, ge=0, description="Most attempts of one address to open a device socket in a minute; 0: no cap.")
    rate_limits: Literal["enforce", "watch"] = Field(
        "enforce",
        description="Limits on commands of devices and on addresses: `watch` counts what goes over them "
        "(`dispatch_gateway_over_limit_total`) and refuses nothing.",
    )
    allow_private_webhooks: bool = Field(
        False, description="Let webhooks and Web Push go to private and loopback addresses. Always true with DISPATCH_DEV."
    )
    push_vapid_file: Path | None = Field(
        None, description="Keys of Web Push, made by `dispatch vapid`. Default: `vapid.json` in the data folder, when it is there."
    )
    push_fcm_file: Path | None = Field(None, description="Key of the Google service account that may send through Firebase (JSON).")
    push_fcm_url: HttpUrl = Field("https://fcm.googleapis.com", description="Where Firebase listens.")
    push_apns_file: Path | None = Field(None, description="Key for APNs as Apple gives it out (`.p8`); the next three belong to it.")
    push_apns_key: str | None = Field(None, description="Id of that key.")
    push_apns_team: str | None = Field(None, description="Id of the team at Apple.")
    push_apns_topic: str | None = Field(None, description="Bundle id of the app.")
    push_apns_url: HttpUrl = Field(
        "https://api.push.apple.com", description="Where APNs listens; apps in development: `https://api.sandbox.push.apple.com`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level that is logged.")
    drain_s: float = Field(
        20,
        ge=0,
        le=3_600,
        description="How long a gateway that shall end goes on serving while its devices move to another. Under `serve`, where everything "
        "ends together, 0 unless it is set.",
    )
    connection_age_s: float = Field(
        14_400,
        ge=60,
        description="After how long a device is asked to open a new connection, at the latest; at half of it at the earliest.",
    )
    gateway_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="How the name of this gateway among the gateways begins; a random part, new at each start, follows.",
    )

    @model_validator(mode="after")
    def _development_only(self) -> Self:
        """Refuse what would be dangerous outside development, and development that others could reach."""
        if self.dev:
            for name in ("http_host", "device_host", "ops_host"):
                if not is_loopback(host := getattr(self, name)):
                    raise ValueError(f"{PREFIX}{name.upper()}={host}: under --dev only loopback may be bound (127.0.0.1, ::1, localhost)")
        elif self.clock_speed != 1.0:
            raise ValueError(f"{PREFIX}CLOCK_SPEED: only 1 is allowed without --dev")
        return self

    @model_validator(mode="after")
    def _all_of_apns(self) -> Self:
        """Apple must know which key, whose, and for which app."""
        missing = [name for name in ("push_apns_key", "push_apns_team", "push_apns_topic") if not getattr(self, name)]
        if self.push_apns_file and missing:
            raise ValueError(f"{PREFIX}PUSH_APNS_FILE needs {', '.join(PREFIX + name.upper() for name in missing)} beside it")
        return self

    @property
    def vapid_file(self) -> Path | None:
        """Where the keys of Web Push are; None: it is not set up."""
        made = self.data_dir / "vapid.json"
        return self.push_vapid_file or (made if made.exists() else None)

    @property
    def browser_origins(self) -> tuple[str, ...]:
        """Origins that may open a device socket: those chosen, and in development this engine's own page."""
        own = (f"http://{host}:{self.http_port}" for host in ("127.0.0.1", "localhost"))
        return (*self.origins, *own) if self.dev else self.origins

    @property
    def keys_file(self) -> Path:
        """Where the keys that sign device tokens are."""
        return self.jwt_keys_file or self.data_dir / "jwt-keys.json"

    @property
    def archive(self) -> Path:
        """Where sealed event segments go."""
        return self.archive_dir or self.data_dir / "archive"


def read(**chosen: Any) -> Settings:
    """The settings of this process: the environment, overruled by what the command line chose.

    Raises ConfigError that names every variable that is wrong.
    """
    try:
        settings = Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as wrong:
        raise ConfigError("\n".join(_complaint(error["loc"], error["msg"]) for error in wrong.errors())) from None
    return settings.model_copy(update={"allow_private_webhooks": True}) if settings.dev else settings


def _complaint(where: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{PREFIX}{str(where[0]).upper()}: {text}" if where else text


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what is bound to ``host``. Names other than localhost count as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One variable, as the reference lists it."""

    variable: str
    kind: str
    default: str
    description: str


def rows() -> Iterator[Row]:
    """Every variable in the order of the class."""
    for name, field in Settings.model_fields.items():
        kind, default = _kind(field.annotation), _text(field.default)
        yield Row(variable=PREFIX + name.upper(), kind=kind, default=default, description=field.description or "")


def _text(default: Any) -> str:
    """A default as one would write it in the environment."""
    return "" if default is None or default == () else str(default).lower() if isinstance(default, bool) else str(default)


def _kind(annotation: Any) -> str:
    """The type of a variable in an operator's words."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list"
    for inner in get_args(annotation):
        return _kind(inner)  # of ``X | None`` and of an annotated X, X stands first
    return {bool: "true or false", int: "integer", float: "number", Path: "path"}.get(annotation, "text")


@cache
def _ports_of(pid: int) -> Iterator[int]:
    """Each process begins elsewhere, so that two that look at the same time do not find the same."""
    first = 64 * pid % len(FREE_PORTS)
    return cycle([*FREE_PORTS[first:], *FREE_PORTS[:first]])


def free_port() -> int:
    """A port of loopback for who asks for port 0, another one each time: nobody listens there, and no outgoing connection will take it.

    Raises ConfigError when a thousand in a row are taken.
    """
    for port in islice(_ports_of(os.getpid()), 1000):
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port
    raise ConfigError(f"no free port between {FREE_PORTS[0]} and {FREE_PORTS[-1]}: name one that may be used")


def reference() -> str:
    """docs/reference/settings.md, whole."""
    lines = [
        "# Settings",
        "",
        "Read once from the environment when a process starts. Written by `python -m dispatch settings-docs`; a test compares.",
        "What a market chooses for itself stands [below](#settings-of-a-market).",
        "",
        "| variable | kind | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{row.variable}` | {row.kind} | {f'`{row.default}`' if row.default else ''} | {row.description} |" for row in rows()]
    return "\n".join(lines) + "\n\n" + section()
