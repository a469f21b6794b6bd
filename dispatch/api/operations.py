"""Calls of whoever runs the engine: is it alive, is it ready, how does it fare, what can it do."""

from typing import Any

import anyio
from starlette.responses import Response

from dispatch.api import asyncapi, documents, metrics, openapi
from dispatch.api.call import Call, Engine, Reply
from dispatch.errors import Unavailable

FRESH_S = 5.0  # a part that said nothing for so long does not work
PARTS = ("worker", "gateway")


async def livez(call: Call[None]) -> Reply:
    """This process answers."""
    return Reply(200, {"alive": True})


async def readyz(call: Call[None]) -> Reply:
    """Store, worker and device port work: 200, else 503 with what is missing."""
    answer = await readiness(call.engine)
    return Reply(200 if answer["ready"] else 503, answer)


async def readiness(engine: Engine) -> dict[str, Any]:
    """For each part the seconds since it was last heard of."""
    try:
        ages = await engine.store.processes()
    except Unavailable:
        return {"ready": False, "store": False, **dict.fromkeys(PARTS)}
    heard = {part: round(ages[part], 1) if part in ages else None for part in PARTS}
    return {"ready": all(age is not None and age <= FRESH_S for age in heard.values()), "store": True, **heard}


async def get_metrics(call: Call[None]) -> Reply:
    """Everything counted, in Prometheus' text format."""
    text = await metrics.exposition(call.engine)
    return Reply(response=Response(text, media_type=metrics.MEDIA))


async def get_openapi(call: Call[None]) -> Reply:
    """This interface, described."""
    return Reply(200, await anyio.to_thread.run_sync(openapi.document, call.request.app.state.table))


async def get_asyncapi(call: Call[None]) -> Reply:
    """The device protocol, described."""
    return Reply(200, await anyio.to_thread.run_sync(asyncapi.document))


async def docs(call: Call[None]) -> Reply:
    """The description for people; everything it shows is served from here."""
    return Reply(response=documents.page())


async def docs_asset(call: Call[None]) -> Reply:
    """A part of that page."""
    return Reply(response=documents.asset(call.path("name")))


async def errors_page(call: Call[None]) -> Reply:
    """Every code of a problem, on one page."""
    return Reply(response=documents.errors())
