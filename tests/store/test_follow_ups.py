"""Follow-ups: what providers ask of ops waits until somebody has seen to it (R25b)."""

import pytest

from dispatch.errors import BadRequest, NotFound
from tests.store.scene import Scene
from tests.store.soundness import faults


async def ask(scene: Scene, name: str, kind: str = "service", text: str = "", *, id: str | None = None) -> str:
    return await scene.store.follow_ups.ask(scene.market, scene.numbers[name], id or scene.fresh("f"), kind, text)


@pytest.mark.proves("R25b.a", "R25b.b")
async def test_they_are_listed_until_somebody_has_seen_to_them_r25b(scene: Scene) -> None:
    assert [await ask(scene, "ada", "service", "Lissage"), await ask(scene, "ben", "talk")] == ["sent", "sent"]
    first, second = (await scene.desk.follow_ups.listed(scene.market))["open"]
    assert (first["kind"], first["text"], first["provider_id"], first["state"]) == ("service", "Lissage", "ada", "open")
    await scene.later(minutes=5)
    for _ in range(2):
        assert (await scene.desk.follow_ups.done(scene.market, first["follow_up_id"], "k1"))["state"] == "done"
    listed = await scene.desk.follow_ups.listed(scene.market)
    assert listed["open"] == [second]
    (done,) = listed["done"]
    assert (done["follow_up_id"], done["state"], done["done_by"]) == (first["follow_up_id"], "done", "k1")
    assert await scene.gauge("follow_ups.open") == 1
    for wrong in ("9", "x", "-1", "1" * 20):
        with pytest.raises(NotFound):
            await scene.desk.follow_ups.done(scene.market, wrong, "k1")


async def test_five_of_one_provider_are_open_at_once_r25b(scene: Scene) -> None:
    assert [await ask(scene, "ada", text=str(number)) for number in range(6)] == ["sent"] * 5 + ["limit"]
    assert await ask(scene, "ben") == "sent"
    await scene.desk.follow_ups.done(scene.market, "1", "k1")
    assert await ask(scene, "ada") == "sent"


async def test_a_repeat_asks_once_and_his_words_are_in_no_event_p4_p14b(scene: Scene) -> None:
    assert [await ask(scene, "ada", text="Lissage", id="same") for _ in range(2)] == ["sent", "sent"]
    with pytest.raises(BadRequest):
        await ask(scene, "ada", text="Coupe", id="same")
    assert len((await scene.desk.follow_ups.listed(scene.market))["open"]) == 1
    assert b"Lissage" not in str(await scene.redis.xrange(f"{{{scene.market}}}:events")).encode()
    assert await faults(scene.store, scene.market, scene.redis_url) == []
