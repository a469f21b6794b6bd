"""`dispatch demo` prints an address, and who opens it plays one of its professionals."""

import re
from pathlib import Path

from playwright.async_api import Browser

from tests.browser.stage import expect, phone, shot
from tests.demo.test_run import demo, summary

ADDRESS = re.compile(r"Play one of them yourself, .+: (http://127\.0\.0\.1:\d+/app/#market=paris&provider=(p-\d+))")


async def test_who_opens_the_address_of_the_demo_is_asked_like_everybody(browser: Browser, tmp_path: Path) -> None:
    with demo(tmp_path, "--speed", "30", "--bookings-per-hour", "600") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        address = next(found[1] for line in lines if (found := ADDRESS.match(line)))
        async with phone(browser) as page:
            await page.goto(address)
            await expect(page.locator("#link[data-state=live]")).to_be_visible(timeout=30_000)
            first = page.locator("#cards .card:not(.gone)").first
            await expect(first).to_be_visible(timeout=60_000)
            await shot(page, "demo")
            await first.locator("button.primary").click()
            await expect(page.locator('[data-tab="bookings"] .count, #cards .gone').first).not_to_be_empty()
            await shot(page, "demo-answered")
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert "Promises" in said
    promises = summary(tmp_path)["promises"]
    assert {name: promises[name]["examples"] for name in ("P1", "P5", "P7")} == {"P1": [], "P5": [], "P7": []}
