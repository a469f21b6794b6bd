"""The end of a gateway in a deployment, with real processes and real signals."""

import signal
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from anyio import to_thread
from websockets.exceptions import InvalidStatus

from dispatch.engine.desk import Desk
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.messages import Drain, Proposal
from dispatch.settings import free_port, read
from dispatch.store import Store
from dispatch.store.embedded import Embedded
from tests.gateway.gate import Gate, found
from tests.journeys.test_processes import PATIENCE_S, eventually, probe, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


async def test_a_gateway_that_is_told_to_end_drains_its_devices_first(tmp_path: Path, short_dir: Path) -> None:
    """As in a deployment: not ready at once, no newcomers, those who are there are asked to move and served until they have."""
    ops, port = free_port(), free_port()
    with Embedded(short_dir, "dev") as store:
        connected = await Store.connect(read(redis_url=store.url, profile="dev", dev=True))
        keys = DeviceKeys.create(tmp_path / "keys.json")
        desk = Desk(connected, Gazetteer.load(None), keys)
        await found(desk, "paris")
        environment = {
            "DISPATCH_REDIS_URL": store.url,
            "DISPATCH_PROFILE": "dev",
            "DISPATCH_DEV": "true",
            "DISPATCH_OPS_PORT": str(ops),
            "DISPATCH_DEVICE_PORT": str(port),
            "DISPATCH_JWT_KEYS_FILE": str(tmp_path / "keys.json"),
            "DISPATCH_DRAIN_S": "60",
        }
        with started(tmp_path, "gateway", **environment) as running:
            await to_thread.run_sync(eventually, lambda: probe(ops, "/readyz")[0] == 200, "a ready gateway")
            there = Gate(connected, desk, keys, "paris", cast("Any", None), port)
            await there.provider()
            async with there.device() as (bare, _):
                running.process.send_signal(signal.SIGTERM)
                assert isinstance(await bare.hear(), Drain)
                await to_thread.run_sync(eventually, lambda: probe(ops, "/readyz")[0] == 503, "a gateway that is not ready")
                with pytest.raises(InvalidStatus) as refused:
                    async with there.socket():
                        pass
                assert refused.value.response.status_code == 503
                await there.book()
                assert isinstance(await bare.hear(), Proposal)
                assert running.process.poll() is None
            assert await to_thread.run_sync(running.process.wait, PATIENCE_S) == 0
        await connected.close()
