"""What each part of the engine is made of. Each imports its own when it starts: the worker needs no web framework."""

from typing import Any

from dispatch.processes import ops
from dispatch.processes.part import Part, Role, Signs
from dispatch.settings import Settings
from dispatch.store import Store


async def api(store: Store, settings: Settings, signs: Signs) -> None:
    """HTTP for the booking service and ops."""
    from dispatch.api import make_app
    from dispatch.engine.desk import Desk
    from dispatch.engine.feed import Feed
    from dispatch.gazetteer import Gazetteer
    from dispatch.identity import DeviceKeys
    from dispatch.processes.http import serve_http
    from dispatch.processes.peers import WithPeers, addresses

    listener = ops.listen("DISPATCH_HTTP_PORT", settings.http_host, settings.http_port)
    desk = Desk(store, Gazetteer.load(settings.data_sets), DeviceKeys.create(settings.keys_file))
    await desk.warm()
    app = make_app(desk, store, settings, Feed(store))
    served: Any = WithPeers(app, addresses(settings.peers)) if settings.peers else app
    await serve_http(served, listener, signs, goodbye=app.state.streams.close)


async def gateway(store: Store, settings: Settings, signs: Signs) -> None:
    """Websockets for devices."""
    from dispatch.gateway.server import serve
    from dispatch.identity import DeviceKeys

    await serve(store, settings, DeviceKeys.create(settings.keys_file), ready=signs.ready, stop=signs.stop)


async def worker(store: Store, settings: Settings, signs: Signs) -> None:
    """What runs by itself: due waves, webhooks."""
    from dispatch.engine.worker import run

    await run(store, settings, signs.stop, signs.ready)


PARTS: dict[Role, Part] = {Role.API: api, Role.GATEWAY: gateway, Role.WORKER: worker}
