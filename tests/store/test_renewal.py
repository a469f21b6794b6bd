"""What the index owes: after a change of the market's settings, and after whoever wrote a provider has died (R2, P5)."""

from typing import Any

import msgspec
import pytest

from dispatch.engine.upkeep import Upkeep
from dispatch.model import MarketSettings, ProviderSettings
from dispatch.store import renewal
from dispatch.store.calls import wall_ms
from tests.store.scene import Scene
from tests.store.soundness import faults, strangers

LEADS = (2, 2.5, 5, 5.25, 6.75, 7, 23, 100)
TOKYO = {"quiet_hours": None, "horizon_days": 6, "time_zone": "Asia/Tokyo"}


class Died(Exception):
    """The process ended there."""


async def sound(scene: Scene) -> None:
    """The index and the pure filters agree."""
    for lead in LEADS:
        assert await strangers(scene.desk, scene.market, scene.numbers, scene.request("probe", lead=lead)) == []
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def owed(scene: Scene) -> bool:
    return await scene.store.renewal.owed(await scene.desk.market(scene.market))


async def people(scene: Scene) -> None:
    await scene.provider("ada", hours="Mo-Fr 09:00-18:00")
    await scene.provider("ben", hours="Mo-Su 08:05-19:50")


def tokyo() -> MarketSettings:
    return msgspec.convert(TOKYO, MarketSettings)


async def test_a_change_of_settings_that_was_cut_short_is_finished_by_a_worker(scene: Scene) -> None:
    await people(scene)
    await scene.store.markets.put_settings(scene.market, tokyo())  # and the process that did it died
    assert await owed(scene)
    await Upkeep(scene.store).renew()
    assert not await owed(scene)
    await sound(scene)


async def test_and_by_whoever_sends_the_same_settings_again(scene: Scene) -> None:
    await people(scene)
    await scene.store.markets.put_settings(scene.market, tokyo())
    await scene.desk.put_market(scene.market, tokyo())
    assert not await owed(scene)
    await sound(scene)


async def test_a_change_that_takes_long_is_answered_and_a_worker_goes_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await people(scene)
    monkeypatch.setattr("dispatch.engine.desk.AT_ONCE_MS", 0)
    await scene.desk.put_market(scene.market, tokyo())
    assert await owed(scene)
    await Upkeep(scene.store).renew()
    assert not await owed(scene)
    await sound(scene)


async def test_who_is_replaced_while_settings_change_stays_as_he_was_last_put_p5(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who writes him anew has read him before he was replaced, and writes afterwards: the verb must notice."""
    await people(scene)
    providers, replaced = scene.store.providers, []
    verb = providers._calls.verb

    async def replace_first(name: str, market: str, /, **arguments: Any) -> Any:
        if name == "put_provider" and not replaced:
            replaced.append(arguments["id"])
            await scene.provider("ada", reachable=False, status="inactive", hours="24/7")
        return await verb(name, market, **arguments)

    monkeypatch.setattr(providers._calls, "verb", replace_first)
    await scene.desk.put_market(scene.market, tokyo())
    assert replaced == ["ada"]
    ada = await providers.get(scene.market, "ada")
    assert (ada.settings.status, ada.settings.hours) == ("inactive", "24/7")
    assert not await owed(scene)
    await sound(scene)


async def test_who_is_written_under_settings_of_yesterday_is_written_anew(scene: Scene) -> None:
    """An import or a PUT that began before the settings changed, and ends after the index was written anew."""
    old = await scene.desk.market(scene.market)
    await people(scene)
    await scene.desk.put_market(scene.market, tokyo())
    right = {"name": "late", "trade": "hair", "catalogue": ["cut"], "hours": "Mo-Fr 09:00-18:00"}
    zone = {"type": "circle", "lat": 48.85, "lng": 2.35, "radius_km": 6}
    settings = msgspec.convert(right | {"zone": zone}, ProviderSettings)
    await scene.store.providers.enroll(old, [("late", settings), ("ada", settings)])
    for name in ("late", "ada"):
        number = await scene.store.providers.number(scene.market, name)
        assert number is not None
        scene.numbers[name] = number
        await scene.connect(name)
    assert await owed(scene)
    await Upkeep(scene.store).renew()
    await sound(scene)


async def test_settings_that_the_index_does_not_depend_on_leave_it_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await people(scene)
    await scene.settings()
    written = []
    monkeypatch.setattr(scene.store.providers, "_put", lambda *given: written.append(given))
    await scene.settings(quiet_hours={"from": "22:00", "to": "07:00"})
    assert written == []


async def test_who_was_imported_by_a_process_that_died_takes_part_in_the_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dies(*_: object) -> None:
        raise Died

    market = await scene.desk.market(scene.market)
    zone = {"type": "circle", "lat": 48.85, "lng": 2.35, "radius_km": 6}
    settings = msgspec.convert({"name": "x", "trade": "hair", "catalogue": ["cut"], "hours": "24/7", "zone": zone}, ProviderSettings)
    monkeypatch.setattr("dispatch.store.providers.paint", dies)
    with pytest.raises(Died):
        await scene.store.providers.enroll(market, [("half", settings)])
    monkeypatch.undo()
    number = await scene.store.providers.number(scene.market, "half")
    assert number is not None
    scene.numbers["half"] = number
    await scene.connect("half")
    upkeep = Upkeep(scene.store)
    await upkeep.renew()
    assert "half" not in await scene.candidates()  # whoever imports him may still be at it
    monkeypatch.setattr(renewal, "wall_ms", lambda: wall_ms() + 700_000)
    await upkeep.renew()
    assert "half" in await scene.candidates()
    assert await scene.store.renewal.finish(market) == 0
    await sound(scene)
