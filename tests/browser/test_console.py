"""The console in a real browser: what is pushed appears, for everybody, at any width, by keyboard too (R80)."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from dispatch.engine.feed import Turns
from dispatch.store import ApiKey, Store
from tests.api.serving import Api
from tests.engine.watched import Town

WIDTHS = (360, 480, 820, 1180, 1440, 2560)
HTTP_PROBLEM = re.compile(r"the server responded with a status of (401|404)")  # the browser's own line for an answer that a test provokes


@asynccontextmanager
async def tab(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A tab of its own. Whatever its scripts complain about fails the test."""
    complaints: list[str] = []
    context = await browser.new_context(**{"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options})
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    await context.close()
    assert [text for text in complaints if not HTTP_PROBLEM.search(text)] == []


async def visit(page: Page, api: Api, market: str) -> None:
    await page.goto(f"http://127.0.0.1:{api.port}/?market={market}")
    await expect(page.locator("main[data-ready]")).to_be_visible()


def row(page: Page, bno: int) -> Any:
    return page.locator(f'#waves li[data-key="{bno}"]')


def figure(page: Page, name: str) -> Any:
    return page.locator(f'#figures [data-key="{name}"] b')


async def test_what_happens_is_pushed_to_the_page_over_one_request(browser: Browser, dev_api: Api, town: Town) -> None:
    async with tab(browser) as page:
        await visit(page, dev_api, town.name)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await expect(page.locator("#waves .empty")).to_contain_text("Nobody searches")
        await expect(figure(page, "waiting")).to_have_text("0")
        bno = await town.open()
        await expect(row(page, bno)).to_contain_text("Haircut")
        await expect(row(page, bno).locator(".seat.s")).to_have_count(3)
        await expect(figure(page, "waiting")).to_have_text("1")
        await town.refuse(bno)
        await expect(row(page, bno).locator(".seat.x")).to_have_count(1)
        winner = await town.accept(bno)
        await expect(row(page, bno)).to_have_attribute("data-state", "accepted")
        await expect(row(page, bno).locator(".seat.a")).to_have_count(1)
        await expect(figure(page, "accepted")).to_have_text("1")
        await expect(page.locator("#events li").first).to_contain_text(f"#{bno} accepted by pro {winner}")
        assert asked == []


async def test_every_tab_is_served_by_the_same_pictures(
    browser: Browser, dev_api: Api, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    once = Turns.once

    async def counted(self: Turns) -> Any:
        nonlocal taken
        taken += 1
        return await once(self)

    monkeypatch.setattr(Turns, "once", counted)
    async with tab(browser) as one, tab(browser) as two, tab(browser) as three:
        for page in (one, two, three):
            await visit(page, dev_api, town.name)
        started, before = await one.evaluate("performance.now()"), taken
        bno = await town.open()
        for page in (one, two, three):
            await expect(row(page, bno)).to_be_visible()
        passed = (await one.evaluate("performance.now()")) - started
        assert taken - before <= passed / 250 + 2


@pytest.mark.parametrize(("theme", "language", "title"), [("dark", "fr-FR", "Vagues en cours"), ("light", "en-GB", "Waves in flight")])
async def test_it_fits_any_width_in_both_themes_and_languages(
    browser: Browser, dev_api: Api, town: Town, theme: Any, language: str, title: str
) -> None:
    await town.open()
    clipped = (
        "[...document.querySelectorAll('button, h2, .figure b')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length"
    )
    async with tab(browser, color_scheme=theme, locale=language) as page:
        await visit(page, dev_api, town.name)
        await expect(row(page, 1)).to_be_visible()
        await expect(page.locator("#waves-title")).to_have_text(title)
        assert await page.evaluate("document.documentElement.dataset.theme") == theme
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert await page.evaluate(clipped) == 0, width
            assert await page.evaluate("document.getElementById('ground').clientHeight") > 200


async def test_the_map_shows_cells_and_the_booking(browser: Browser, dev_api: Api, town: Town) -> None:
    await town.open()
    async with tab(browser) as page:
        await visit(page, dev_api, town.name)
        await expect(page.locator("#ground")).to_have_attribute("aria-label", re.compile(r"Map: 1 bookings .* [1-9]\d+ cells"))
        box = await page.locator("#ground").bounding_box()
        assert box
        await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await expect(page.locator("#spot")).to_contain_text("6 professionals cover this place")
        painted = """() => {
            const pixels = document.getElementById("ground").getContext("2d").getImageData(0, 0, 600, 300).data;
            return new Set(pixels).size;
        }"""
        assert await page.evaluate(painted) > 20


async def test_it_can_be_used_by_keyboard_alone(browser: Browser, dev_api: Api, town: Town) -> None:
    bno = await town.open()
    async with tab(browser) as page:
        await visit(page, dev_api, town.name)
        await expect(row(page, bno)).to_be_visible()
        reached = []
        for _ in range(6):
            await page.keyboard.press("Tab")
            reached.append(
                await page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")
            )
        assert reached[:4] == ["skip", "market", "language", "theme"]
        await row(page, bno).locator("button").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#booking")).to_contain_text("Timeline")
        await expect(page.locator("#booking .timeline li").first).to_contain_text("Opened")
        await expect(page.locator("#booking tbody tr")).to_have_count(3)
        await page.keyboard.press("Escape")
        await expect(page.locator("#booking")).not_to_be_visible()
        assert await page.evaluate("document.activeElement.closest('li').dataset.key") == str(bno)


async def test_language_and_theme_can_be_chosen_and_are_remembered(browser: Browser, dev_api: Api, town: Town) -> None:
    async with tab(browser, color_scheme="dark") as page:
        await visit(page, dev_api, town.name)
        await page.locator("#language").click()
        await page.locator("#theme").click()
        for _ in range(2):
            await expect(page.locator("#lanes-title")).to_have_text("En attente, par classe et âge")
            assert await page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]") == ["fr", "light"]
            await page.reload()


async def test_without_a_key_it_asks_for_one_and_keeps_it_in_the_tab_alone(browser: Browser, api: Api, town: Town, store: Store) -> None:
    secret = "dsp_of-a-viewer"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    await store.api_keys.add(ApiKey(id="k1", name="", roles=("ops:viewer",), markets=(town.name,), digest=digest, created_ms=0))
    async with tab(browser) as page:
        await page.goto(f"http://127.0.0.1:{api.port}/?market={town.name}")
        await expect(page.locator("#door")).to_be_visible()
        await expect(page.locator("#door-problem")).to_be_empty()
        await page.locator("[name=key]").fill("dsp_wrong")
        await page.keyboard.press("Enter")
        await expect(page.locator("#door-problem")).to_contain_text("does not open")
        await page.locator("[name=key]").fill(secret)
        await page.keyboard.press("Enter")
        await expect(page.locator("main[data-ready]")).to_be_visible()
        assert await page.evaluate("[Object.values(sessionStorage).includes('dsp_of-a-viewer'), JSON.stringify(localStorage)]") == [
            True,
            "{}",
        ]
        assert secret not in page.url
        await page.reload()
        await expect(page.locator("main[data-ready]")).to_be_visible()
    async with tab(browser) as other:
        await other.goto(f"http://127.0.0.1:{api.port}/?market={town.name}")
        await expect(other.locator("#door")).to_be_visible()


async def test_it_waits_for_a_market_that_is_not_there_yet(browser: Browser, dev_api: Api, town: Town, fresh_market: Any) -> None:
    late = Town(town.store, town.desk, fresh_market())
    async with tab(browser) as page:
        await page.goto(f"http://127.0.0.1:{dev_api.port}/?market={late.name}")
        await expect(page.locator("#notice")).to_contain_text(f"no market “{late.name}”")
        await late.settle(1)
        await expect(page.locator("main[data-ready]")).to_be_visible()
        await expect(page.locator("#notice")).not_to_be_visible()


async def test_it_comes_back_after_the_stream_was_cut(browser: Browser, dev_api: Api, town: Town) -> None:
    async with tab(browser) as page:
        await visit(page, dev_api, town.name)
        dev_api.app.state.streams.close()
        bno = await town.open()
        await expect(row(page, bno)).to_be_visible(timeout=15_000)
        await expect(page.locator("#link")).to_have_text("live")


async def test_it_asks_nobody_but_the_engine_itself(browser: Browser, dev_api: Api, town: Town) -> None:
    asked: list[str] = []
    async with tab(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        await visit(page, dev_api, town.name)
    assert asked
    assert [url for url in asked if not url.startswith((f"http://127.0.0.1:{dev_api.port}/", "data:"))] == []
