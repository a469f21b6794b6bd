"""The command ``dispatch``: reads the settings, puts the parts together, and says in words how it went.

Exit codes: 0 ended as asked, 1 failed, 2 wrong command or installation, 130 a second Ctrl-C cut the orderly stop short.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

import dispatch
from dispatch.errors import ConfigError, DispatchError
from dispatch.processes import logs
from dispatch.processes.part import Role, connected, run
from dispatch.processes.parts import PARTS
from dispatch.processes.stopping import Stop, heed_signals
from dispatch.processes.supervise import Child, mind_store, supervise
from dispatch.processes.tether import Tether
from dispatch.settings import Settings, free_port, read, reference
from dispatch.store import ApiKey, acl, functions
from dispatch.store.calls import make_redis, wall_ms
from dispatch.store.embedded import Embedded, running

FAILED, WRONG, CUT_SHORT = 1, 2, 130

DEV_WARNING = """\
[bold]Development mode.[/] The key [bold]dev-key[/] opens every market with every role, and webhooks may go to private addresses.
Only this machine can connect. Never serve clients like this."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A real-time dispatcher.")
key = typer.Typer(no_args_is_help=True, help="Keys of callers.")
app.add_typer(key, name="key")
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

TetherOption = Annotated[Tether | None, typer.Option(parser=Tether.parse, hidden=True)]


def main() -> None:
    """Run the command; what a person can put right is told in a sentence, not in a traceback."""
    try:
        app()
    except (ConfigError, DispatchError) as error:
        _fail(error)
    except BaseExceptionGroup as group:
        told = group.subgroup((ConfigError, DispatchError))
        if told is None:
            raise
        _fail(_first(told))


def _fail(error: BaseException) -> None:
    err.print(f"dispatch: {error}", style="red", markup=False, soft_wrap=True)
    sys.exit(WRONG if isinstance(error, ConfigError) else FAILED)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


# -- processes ------------------------------------------------------------------------------------------------------


@app.command()
def serve(
    dev: Annotated[bool, typer.Option("--dev", help="Development: fixed key `dev-key`, loopback only.")] = False,
    single: Annotated[bool, typer.Option("--single", help="Everything in one process, for a debugger.")] = False,
) -> None:
    """Run the whole engine: api, gateway, worker, and a store of its own unless DISPATCH_REDIS_URL names one."""
    settings = _ending_together(_with_ports(read(dev=dev or None)))
    logs.configure(settings, "serve")
    if settings.dev:
        err.print(Panel(DEV_WARNING, border_style="yellow", expand=False))
    stop = Stop()
    with _own_store(settings) as (store, settings):
        _run(_serve_single if single else _serve, settings, store, stop)
    if stop.now.is_set():
        sys.exit(CUT_SHORT)


async def _serve(settings: Settings, store: Embedded | None, stop: Stop) -> None:
    """Three processes and their supervisor."""
    environment = _environment(settings)
    peers = [Child(role, environment) for role in (Role.GATEWAY, Role.WORKER)]
    api_ = Child(Role.API, environment | {"DISPATCH_PEERS": ",".join(f"{peer.role}={peer.ops_address}" for peer in peers)})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heed_signals, stop)
        await supervise([*peers, api_], store, stop, lambda: _say_where(settings))
        tasks.cancel_scope.cancel()


async def _serve_single(settings: Settings, store: Embedded | None, stop: Stop) -> None:
    """The three parts in this event loop."""
    waiting = set(Role)

    def one_ready(role: Role) -> None:
        waiting.discard(role)
        if not waiting:
            _say_where(settings)

    async with anyio.create_task_group() as around:
        around.start_soon(heed_signals, stop)
        if store:
            around.start_soon(mind_store, store)
        async with anyio.create_task_group() as parts:
            for role, part in PARTS.items():
                parts.start_soon(partial(run, role, part, settings, stop.asked, on_ready=partial(one_ready, role)))
        around.cancel_scope.cancel()


@app.command()
def api(tether: TetherOption = None) -> None:
    """Run HTTP alone. Needs DISPATCH_REDIS_URL; probes on DISPATCH_OPS_PORT."""
    _run_part(Role.API, tether)


@app.command()
def gateway(tether: TetherOption = None) -> None:
    """Run a gateway for devices alone. Needs DISPATCH_REDIS_URL; probes on DISPATCH_OPS_PORT."""
    _run_part(Role.GATEWAY, tether)


@app.command()
def worker(tether: TetherOption = None) -> None:
    """Run a worker alone. Needs DISPATCH_REDIS_URL; probes on DISPATCH_OPS_PORT."""
    _run_part(Role.WORKER, tether)


def _run_part(role: Role, tether: Tether | None) -> None:
    probes = tether.hold() if tether else None
    settings = read()
    logs.configure(settings, role)
    on_ready = tether.say_ready if tether else lambda: None

    async def until_stopped() -> None:
        stop = Stop()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(heed_signals, stop)
            await run(role, PARTS[role], settings, stop.asked, on_ready=on_ready, probes=probes)
            tasks.cancel_scope.cancel()

    _run(until_stopped)


def _run(main_: Any, *args: Any) -> None:
    anyio.run(main_, *args, backend_options={"use_uvloop": True})


def _environment(settings: Settings) -> dict[str, str]:
    """What the children of `serve` are started with: our own environment, and what we decided."""
    decided = {
        "DISPATCH_REDIS_URL": settings.redis_url or "",
        "DISPATCH_DEV": str(settings.dev),
        "DISPATCH_HTTP_PORT": str(settings.http_port),
        "DISPATCH_DEVICE_PORT": str(settings.device_port),
        "DISPATCH_OPS_PORT": "",
        "DISPATCH_DRAIN_S": str(settings.drain_s),
    }
    return {**os.environ, **decided}


def _with_ports(settings: Settings) -> Settings:
    """The settings with a free port wherever 0 was chosen."""
    return settings.model_copy(update={name: getattr(settings, name) or free_port() for name in ("http_port", "device_port")})


def _ending_together(settings: Settings) -> Settings:
    """The settings of an engine of which no part outlives the others: unless somebody says so, devices have nowhere to move to."""
    return settings if "drain_s" in settings.model_fields_set else settings.model_copy(update={"drain_s": 0.0})


def _say_where(settings: Settings) -> None:
    where = Table.grid(padding=(0, 2))
    where.add_row("HTTP", f"http://{settings.http_host}:{settings.http_port}", "/docs explains it")
    where.add_row("providers", f"http://{settings.http_host}:{settings.http_port}/app/", "their page")
    where.add_row("devices", f"ws://{settings.device_host}:{settings.device_port}/v1/device")
    where.add_row("store", _without_password(settings.redis_url or ""), f"profile {settings.profile}")
    out.print(Panel(where, title=f"dispatch {dispatch.__version__} is ready", subtitle="Ctrl-C ends it", expand=False))


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


# -- store ----------------------------------------------------------------------------------------------------------


@contextmanager
def _own_store(settings: Settings) -> Iterator[tuple[Embedded | None, Settings]]:
    """The store of `serve`: the one that is configured, or one of our own."""
    if settings.redis_url:
        yield None, settings
        return
    with Embedded(settings.data_dir, settings.profile, memory_mb=settings.store_memory_mb) as store:
        yield store, settings.model_copy(update={"redis_url": store.url})


@contextmanager
def _any_store(settings: Settings) -> Iterator[Settings]:
    """The store of a short command: the one that is configured, that of an engine that runs here, or one of our own meanwhile."""
    url = settings.redis_url or running(settings.data_dir)
    with nullcontext((None, settings.model_copy(update={"redis_url": url}))) if url else _own_store(settings) as (_, found):
        yield found


@app.command()
def install(
    user: Annotated[str | None, typer.Option(help="Create or update this user for the engine, with no more rights than it needs.")] = None,
    password: Annotated[str | None, typer.Option(envvar="DISPATCH_USER_PASSWORD", help="His password. Default: a fresh one.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove functions of other versions. Only when none of them runs.")] = False,
) -> None:
    """Prepare the store at DISPATCH_REDIS_URL, as its administrator: load the server functions, create the engine's user."""
    settings = read()
    logs.configure(settings, "install")
    with _any_store(settings) as settings:
        _run(_install, settings, user, password or secrets.token_urlsafe(24), prune)


async def _install(settings: Settings, user: str | None, password: str, prune: bool) -> None:
    async with connected(settings) as store:
        library = functions.library(store.clock)
    out.print(f"functions: {library.name}")
    async with make_redis(settings.redis_url or "") as admin:
        if prune:
            out.print("removed:", ", ".join(await functions.prune(admin, library)) or "nothing")
        if user:
            lasting = await acl.install(admin, user, password)
            out.print(f"user: {user}\npassword: {password}")
            if not lasting:
                out.print("He is gone when the store restarts, as it has no ACL file. In its configuration this line keeps him:")
                out.print(acl.acl_line(user, password), soft_wrap=True)


# -- keys -----------------------------------------------------------------------------------------------------------


@key.command("new")
def key_new(
    role: Annotated[
        list[str], typer.Option(help="What the caller may do: booking, ops:manager, ops:agent, ops:viewer, metrics. May be repeated.")
    ],
    market: Annotated[list[str], typer.Option(help="A market of his, or * for all. May be repeated.")],
    name: Annotated[str, typer.Option(help="Whose key it is, for people.")] = "",
) -> None:
    """Make a key for a caller. It is shown once; the store keeps only its digest."""
    from dispatch.api.call import EVERY_ROLE

    if unknown := set(role) - EVERY_ROLE:
        raise ConfigError(f"no such role: {', '.join(sorted(unknown))}; there are {', '.join(sorted(EVERY_ROLE))}")
    secret, id_ = f"dsp_{secrets.token_urlsafe(32)}", f"k-{secrets.token_hex(4)}"
    made = ApiKey(
        id=id_, name=name, roles=tuple(role), markets=tuple(market), digest=sha256(secret.encode()).hexdigest(), created_ms=wall_ms()
    )
    with _any_store(read()) as settings:
        _run(_add_key, settings, made)
    err.print(f"{id_}: shown once, keep it safe")
    out.print(secret, soft_wrap=True)


async def _add_key(settings: Settings, made: ApiKey) -> None:
    async with connected(settings) as store:
        await store.api_keys.add(made)


@key.command("list")
def key_list() -> None:
    """List the keys, without their secrets."""
    with _any_store(read()) as settings:
        _run(_list_keys, settings)


async def _list_keys(settings: Settings) -> None:
    async with connected(settings) as store:
        keys = await store.api_keys.all()
    table = Table("key", "name", "roles", "markets")
    for each in keys:
        table.add_row(each.id, each.name, ", ".join(each.roles), ", ".join(each.markets))
    out.print(table)


@app.command()
def vapid(
    subject: Annotated[str, typer.Option(help="Whom push services may ask: mailto:somebody@example.com, or an https URL.")],
    file: Annotated[Path | None, typer.Option(help="Where to keep them. Default: `vapid.json` in the data folder.")] = None,
) -> None:
    """Make the keys of Web Push, once for an installation. Browsers subscribe with the public one, which is printed."""
    from dispatch.push.vapid import VapidKeys

    settings, keys = read(), VapidKeys.make(subject)
    path = file or settings.push_vapid_file or settings.data_dir / "vapid.json"
    keys.write(path)
    err.print(f"{path}: keep it safe, and the same for every api and worker; they read it when they start")
    out.print(keys.public_key, soft_wrap=True)


# -- the rest -------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    speed: Annotated[float, typer.Option(help="Engine seconds that pass in a second.")] = 60.0,
    seconds: Annotated[float | None, typer.Option(help="End by itself after so many seconds. Default: Ctrl-C ends it.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No live table: a line now and then, and the summary.")] = False,
    json: Annotated[Path | None, typer.Option(help="File for the summary.")] = None,
    providers: Annotated[int, typer.Option(min=1, help="Professionals in the city.")] = 400,
    bookings_per_hour: Annotated[float, typer.Option(min=0, help="Mean number of bookings in an hour of the engine's day.")] = 150.0,
    seed: Annotated[int, typer.Option(help="Draws the same city, people and wishes again.")] = 1,
    port: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one.")] = 0,
    device_port: Annotated[int, typer.Option(help="Port for devices; 0 takes a free one.")] = 0,
    start_hour: Annotated[int, typer.Option(min=-1, max=23, help="Hour at which the city's day begins; -1: the true time of Paris.")] = 8,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the engine's data. Default: a fresh one, removed afterwards.")] = None,
) -> None:
    """Show a simulated city at work, and judge whether the engine keeps its promises."""
    chosen = dict(locals())
    from dispatch.demo import Options
    from dispatch.demo import main as run_demo

    sys.exit(run_demo(Options(**{**chosen, "start_hour": None if start_hour < 0 else start_hour})))


@app.command("settings-docs", hidden=True)
def settings_docs() -> None:
    """Print docs/reference/settings.md."""
    sys.stdout.write(reference())


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False) -> None:
    """Say which version this is."""
    if show:
        out.print(dispatch.__version__)
        raise typer.Exit
