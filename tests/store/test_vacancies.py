"""R18: a provider who comes online, is freed, or widens his settings takes a free seat of a current wave, the most urgent booking first."""

from tests.store.scene import Scene


async def test_who_comes_online_takes_a_seat_that_nobody_could_be_asked_for_r18(scene: Scene) -> None:
    await scene.provider("eve", reachable=False)
    for name in ("ada", "ben", "cleo"):
        await scene.disconnect(name)
    await scene.open()
    assert await scene.states() == {"dan": "open"}
    await scene.connect("eve")
    assert await scene.states() == {"dan": "open"}, "he has only woken somebody"
    await scene.meet()
    assert await scene.states() == {"dan": "open", "eve": "open"}
