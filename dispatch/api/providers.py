"""Calls about providers: settings, import, inbox, device tokens, blocks."""

from msgspec import UNSET

from dispatch.api import bodies, questions
from dispatch.api.call import OPS, Call, Reply
from dispatch.api.markets import stored
from dispatch.engine.requests import BlockQuestion, BlockRequest, TokenRequest, TrialRequest
from dispatch.errors import Forbidden
from dispatch.model import ProviderSettings

RANK = "initial_rank is for keys with an ops role; leave it out, and the provider begins as limited"


async def put_provider(call: Call[ProviderSettings]) -> Reply:
    """Creates a provider or replaces his settings."""
    if call.body.initial_rank is not UNSET and not call.has(OPS):
        raise Forbidden(RANK)
    provider_id = bodies.id_from_path(call.path("provider_id"), "provider_id")
    return stored(await call.desk.put_provider(call.market, provider_id, call.body, call.hand))


async def import_providers(call: Call[None]) -> Reply:
    """Takes a stream of providers, one a line; what is wrong with a line is that line's affair."""
    taken = await call.desk.import_providers(call.market, bodies.lines(call.request), call.has(OPS), call.hand)
    return Reply(200, taken)


async def get_provider(call: Call[None]) -> Reply:
    """A provider as the engine keeps him."""
    return Reply(200, await call.desk.provider(call.market, call.path("provider_id")))


async def get_inbox(call: Call[None]) -> Reply:
    """What is open for him: what his devices show."""
    return Reply(200, await call.desk.inbox(call.market, call.path("provider_id")))


async def test_provider(call: Call[TrialRequest]) -> Reply:
    """Sends him a test proposal: does what the engine sends reach his devices (R25b)?"""
    return Reply(201, await call.desk.devices.test(call.market, call.path("provider_id"), call.rid))


async def get_test(call: Call[None]) -> Reply:
    """His last test, with the receipts of each device and of push."""
    return Reply(200, await call.desk.devices.tested(call.market, call.path("provider_id")))


async def make_token(call: Call[TokenRequest]) -> Reply:
    """A token with which one device of a provider may connect."""
    body = call.body
    return Reply(201, await call.desk.devices.token(call.market, body.provider_id, body.device_id, body.ttl_s))


async def delete_device(call: Call[None]) -> Reply:
    """The tokens of one device of a provider open nothing any more; its socket ends."""
    device_id = bodies.id_from_path(call.path("device_id"), "device_id")
    await call.desk.devices.revoke(call.market, call.path("provider_id"), device_id, call.hand)
    return Reply(204)


async def delete_devices(call: Call[None]) -> Reply:
    """The tokens of every device of a provider open nothing any more; their sockets end."""
    await call.desk.devices.revoke(call.market, call.path("provider_id"), None, call.hand)
    return Reply(204)


async def put_block(call: Call[BlockRequest]) -> Reply:
    """Blacklists a client in the market."""
    return stored(
        await call.desk.put_block(call.market, bodies.id_from_path(call.path("client_id"), "client_id"), call.body.reason, call.hand)
    )


async def delete_block(call: Call[None]) -> Reply:
    """Takes a client off the blacklist."""
    await call.desk.delete_block(call.market, call.path("client_id"), call.hand)
    return Reply(204)


async def put_provider_block(call: Call[None]) -> Reply:
    """A provider and a client shall not meet, as one of them wants it."""
    client_id = bodies.id_from_path(call.path("client_id"), "client_id")
    by = questions.read(call.request, BlockQuestion).by
    return stored(await call.desk.put_provider_block(call.market, call.path("provider_id"), client_id, by, call.hand))


async def delete_provider_block(call: Call[None]) -> Reply:
    """One of the two does not block the other any more."""
    by = questions.read(call.request, BlockQuestion).by
    await call.desk.delete_provider_block(call.market, call.path("provider_id"), call.path("client_id"), by, call.hand)
    return Reply(204)
