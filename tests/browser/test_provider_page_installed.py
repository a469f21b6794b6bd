"""The provider's page as an app: it opens without a network, tells of proposals when it is closed, and shuts nobody out."""

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route

from dispatch.api import provider_page
from tests.browser.stage import ADDRESS, Stage, barriers, booking, card, expect, phone, shot, sign_in
from tests.browser.test_provider_page import BOTH

WIDTHS = (320, 390, 600, 820, 1280)
KEPT = "navigator.serviceWorker.ready.then(() => caches.keys()).then((names) => names.some((name) => name.startsWith('shell-')))"


async def test_without_a_network_it_opens_and_shows_what_was_known_last(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        held, asked = await stage.book(), await stage.book(hours=8)
        await card(page, stage, held).locator("button.primary").click()
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
        assert await page.evaluate(KEPT)
        await stage.cut(page)
        await page.reload()
        await expect(page.locator("#link")).to_have_text("No network")
        await expect(page.locator("#who")).to_have_text("Awa D.")
        await expect(card(page, stage, asked)).to_contain_text("Women’s haircut")
        await page.locator("[data-tab=bookings]").click()
        await expect(booking(page, held)).to_contain_text(ADDRESS)
        await page.locator("[data-tab=proposals]").click()
        await card(page, stage, asked).locator("button.primary").click()
        await expect(card(page, stage, asked).locator(".state")).to_have_text("Will be sent when you are connected.")
        await page.reload()  # the answer outlives the page
        await expect(card(page, stage, asked).locator(".state")).to_have_text("Will be sent when you are connected.")
        await stage.mend(page)
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("2", timeout=40_000)
    assert await stage.winner(asked) == "awa"


async def test_it_can_be_installed(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await page.goto(stage.url)
        devtools = await page.context.new_cdp_session(page)
        manifest = await devtools.send("Page.getAppManifest")
        assert manifest["errors"] == []
        told = json.loads(manifest["data"])
        for icon in told["icons"]:
            answer = await page.request.get(stage.url + icon["src"])
            assert (answer.status, answer.headers["content-type"]) == (200, icon["type"])
        assert await page.evaluate(KEPT)
        assert (await devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"] in (
            [],
            [{"errorId": "in-incognito", "errorArguments": []}],
        )


@BOTH
async def test_a_push_says_that_there_is_something_and_nothing_more(browser: Browser, stage: Stage, language: str) -> None:
    titles = {"fr": ("Nouvelle proposition", "Plus disponible"), "en": ("New proposal", "No longer available")}[language]
    async with phone(browser, language, permissions=["notifications"]) as page:
        await sign_in(page, stage)
        assert await page.evaluate(KEPT)
        push = await pusher(page, stage)
        await push({"id": "7.1.1", "kind": "proposal", "expires_at": 1})
        assert await shown(page) == [{"title": titles[0], "tag": "7.1.1", "data": {"id": "7.1.1", "kind": "proposal", "expires_at": 1}}]
        await push({"id": "7.1.1", "kind": "withdrawn", "expires_at": 1})
        assert [(note["title"], note["tag"]) for note in await shown(page, titles[1])] == [(titles[1], "7.1.1")]


async def pusher(page: Page, stage: Stage) -> Any:
    """Hands messages to the service worker, as the browser's push service would."""
    devtools, found = await page.context.new_cdp_session(page), []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(each["registrationId"] for each in event["registrations"])
    )
    await devtools.send("ServiceWorker.enable")
    while not found:
        await page.wait_for_timeout(50)

    async def push(message: dict[str, Any]) -> None:
        parts = {"origin": stage.url.removesuffix("/app/"), "registrationId": found[-1], "data": json.dumps(message)}
        await devtools.send("ServiceWorker.deliverPushMessage", parts)

    return push


async def shown(page: Page, title: str = "") -> list[dict[str, Any]]:
    """The notifications on the screen, once there are some (with that title)."""
    look = """async (title) => {
        const registration = await navigator.serviceWorker.ready;
        for (let tries = 0; tries < 100; tries += 1) {
            const found = await registration.getNotifications();
            if (found.some((each) => each.title.includes(title))) return found.map(({ title, tag, data }) => ({ title, tag, data }));
            await new Promise((wake) => setTimeout(wake, 50));
        }
        return [];
    }"""
    found: list[dict[str, Any]] = await page.evaluate(look, title)
    return found


SERVICE = """
    const address = { endpoint: "https://push.example/1", keys: { p256dh: "%s", auth: "AAAAAAAAAAAAAAAAAAAAAA" } };
    let held = null;
    PushManager.prototype.getSubscription = async () => held;
    PushManager.prototype.subscribe = async (options) => {
        globalThis.subscribedWith = btoa(String.fromCharCode(...new Uint8Array(options.applicationServerKey)));
        return (held = { ...address, options, toJSON: () => address, unsubscribe: async () => ((held = null), true) });
    };
""" % ("B" + "A" * 86)


async def with_key(route: Route) -> None:
    """The settings of an installation that sends notifications."""
    answer = await route.fetch()
    await route.fulfill(response=answer, json={**await answer.json(), "push_key": "BAECAw"})


@BOTH
async def test_who_asks_for_notifications_is_reached_by_them(browser: Browser, stage: Stage, language: str) -> None:
    """The push service of the browser is played here: a headless one has none. The rest is as it is: the key, the address, the engine."""
    async with phone(browser, language, permissions=["notifications"]) as page:
        hellos: list[bytes] = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: hellos.append(frame) if b"hello" in frame else None))
        await page.add_init_script(SERVICE)
        await page.route("**/app/settings", with_key)
        await sign_in(page, stage)
        await page.locator("[data-tab=settings]").click()
        switch = page.locator("#row-push [role=switch]")
        await expect(switch).to_have_attribute("aria-checked", "false")
        await switch.click()
        await expect(switch).to_have_attribute("aria-checked", "true")
        assert await page.evaluate("globalThis.subscribedWith") == "BAECAw=="
        await shot(page, f"push-{language}")
        await last_hello(page, hellos, names_address=True)
        await switch.click()
        await expect(switch).to_have_attribute("aria-checked", "false")
        await last_hello(page, hellos, names_address=False)


@BOTH
async def test_he_tests_his_notifications_and_sees_each_receipt_r25b(browser: Browser, stage: Stage, language: str) -> None:
    """By socket and by push; what came back of each is shown as it comes, and of a device that stays silent that nothing did."""
    said = {
        "fr": ("Reçu après", "À l’écran après", "En route…", "Remise au service", "Affichée sur cet appareil", "cet appareil"),
        "en": (
            "Received after",
            "On the screen after",
            "On its way…",
            "Taken by the notification service",
            "Shown on this device",
            "this device",
        ),
    }[language]
    received, on_screen, under_way, taken, arrived, here = said
    await stage.online("awa")  # another phone of hers, which confirms nothing
    async with phone(browser, language, permissions=["notifications"], bypass_csp=True) as page:
        await page.add_init_script(SERVICE)
        await page.route("**/app/settings", with_key)
        await sign_in(page, stage)
        assert await page.evaluate(KEPT)
        push = await pusher(page, stage)
        await page.locator("[data-tab=settings]").click()
        await expect(page.locator("#trial-none")).to_be_hidden()
        await expect(page.locator("#settings-title")).to_be_focused()
        await page.locator("#trial-send").focus()
        await page.keyboard.press("Enter")
        by_socket = page.locator("#trial-receipts li[data-way=socket]")
        mine, other = by_socket.filter(has_text=here), by_socket.filter(has_text="(phone)")
        await expect(mine.locator("span")).to_contain_text(received)
        await expect(mine.locator("span")).not_to_contain_text(on_screen)  # its card is behind another tab
        await expect(other.locator("span")).to_have_text(under_way)
        await expect(page.locator("#trial-none")).to_be_visible()  # no device has an address yet
        await page.locator("[data-tab=proposals]").click()
        await page.locator("#cards li button.primary").click()  # it can be answered like any other, and it is none
        await expect(page.locator("#cards li")).to_have_count(0)
        await page.locator("[data-tab=settings]").click()
        await expect(mine.locator("span")).to_contain_text(on_screen)
        await page.locator("#row-push [role=switch]").click()
        await expect(page.locator("#row-push [role=switch]")).to_have_attribute("aria-checked", "true")
        while not await stage.addresses("awa"):
            await page.wait_for_timeout(50)
        await page.locator("#trial-send").click()
        by_push = page.locator("#trial-receipts li[data-way=push]")
        await expect(by_push.locator("span")).to_have_text(under_way, timeout=40_000)  # two tests lie ten seconds apart
        await expect(page.locator("#trial-none")).to_be_hidden()
        told = await stage.pushed()
        await expect(by_push.locator("span")).to_contain_text(taken)
        assert await barriers(page) == []
        await push(told)
        await expect(by_push.locator("span")).to_have_text(f"{arrived}.")
        assert [note["title"] for note in await shown(page)] == [
            {"fr": "Vos notifications fonctionnent", "en": "Your notifications work"}[language]
        ]
        await shot(page, f"trial-{language}")
    assert (await stage.gate.desk.devices.tested(stage.market, "awa"))["state"] == "open"


async def test_a_test_without_a_connection_is_not_sent_later(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        await page.locator("[data-tab=settings]").click()
        await stage.cut(page)
        await expect(page.locator("#link")).to_have_text("No network")
        await page.locator("#trial-send").click()
        await expect(page.locator("#alarm")).to_have_text("You are not connected. Send a test when you are.")
        await stage.mend(page)
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        await expect(page.locator("#trial-receipts li")).to_have_count(0)
        await page.locator("#trial-send").click()
        await expect(page.locator("#trial-receipts li")).to_have_count(1)
        await expect(page.locator("#trial-send")).to_have_attribute("aria-busy", "false")
        tested = await stage.gate.desk.devices.tested(stage.market, "awa")
        assert tested["proposal"] == f"0.1.{stage.numbers['awa']}", "the first there was"


async def last_hello(page: Page, hellos: list[bytes], *, names_address: bool) -> None:
    """What the device said of itself last is what the engine holds it to."""
    for _ in range(100):
        if (b"https://push.example/1" in hellos[-1] and b"webpush" in hellos[-1]) is names_address:
            return
        await page.wait_for_timeout(50)
    raise AssertionError(hellos[-1])


async def test_a_newer_version_of_the_page_says_so(browser: Browser, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        assert await page.evaluate(KEPT)
        await page.reload()
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        now = provider_page.shell()
        monkeypatch.setattr(provider_page, "shell", lambda: provider_page.Shell(now.files, "newer"))
        await page.evaluate("navigator.serviceWorker.ready.then((registration) => registration.update())")
        await expect(page.locator(".notice.newer")).to_be_visible()
        shells = "caches.keys().then((names) => names.filter((name) => name.startsWith('shell-')).join())"
        await page.wait_for_function(f"{shells}.then((names) => names === 'shell-newer')")
        await page.locator(".notice.newer button").click()
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        await expect(page.locator(".notice.newer")).to_have_count(0)


async def test_of_two_tabs_the_later_one_is_connected_and_the_other_says_so(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        other = await page.context.new_page()
        await other.goto(stage.url)
        await expect(other.locator("#link[data-state=live]")).to_be_visible()
        await expect(page.locator(".notice.stopped")).to_contain_text("open elsewhere on this device")
        await page.locator(".notice.stopped button").click()
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        await expect(other.locator(".notice.stopped")).to_be_visible()


async def test_no_notifications_are_offered_where_the_server_has_no_key(browser: Browser, stage: Stage) -> None:
    """It says so with what the page asks for anyway: no request fails for it."""
    asked: list[str] = []
    async with phone(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(page, stage)
        await page.locator("[data-tab=settings]").click()
        await expect(page.locator("#row-leave")).to_be_visible()
        await expect(page.locator("#row-push")).to_have_count(0)
    assert sum(url.endswith("/app/settings") for url in asked) == 1
    assert not [url for url in asked if "push-key" in url]


# -- time ---------------------------------------------------------------------------------------------------------------

WALLS = [  # a field, a zone, the moment that it means
    ("2026-11-24T10:00", "Europe/Paris", "2026-11-24T09:00:00Z"),
    ("2026-07-14T10:00", "Europe/Paris", "2026-07-14T08:00:00Z"),
    ("2026-03-29T02:30", "Europe/Paris", "2026-03-29T01:30:00Z"),  # an hour that is left out: the one after
    ("2026-03-29T03:00", "Europe/Paris", "2026-03-29T01:00:00Z"),
    ("2026-10-25T03:30", "Europe/Paris", "2026-10-25T02:30:00Z"),
    ("2026-01-01T00:15", "Pacific/Auckland", "2025-12-31T11:15:00Z"),
    ("2026-11-24T10:00", "Etc/GMT+5", "2026-11-24T15:00:00Z"),
    ("", "Europe/Paris", None),
]


async def test_what_is_entered_means_the_markets_clock(browser: Browser, stage: Stage) -> None:
    read = """(walls) => import("/app/clock.js").then(({ fromField }) => walls.map(([text, zone]) => {
        const found = fromField(text, zone);
        return found === null ? null : new Date(found).toISOString().replace(".000", "");
    }))"""
    write = (
        """(walls) => import("/app/clock.js").then(({ toField }) => walls.map(([, zone, moment]) => toField(Date.parse(moment), zone)))"""
    )
    async with phone(browser, timezone_id="America/New_York") as page:
        await page.goto(stage.url)
        assert await page.evaluate(read, WALLS) == [moment for *_, moment in WALLS]
        there = [wall for wall in WALLS if wall[2] and wall[0] != "2026-03-29T02:30"]
        assert await page.evaluate(write, there) == [text for text, *_ in there]


async def test_a_clock_that_runs_faster_is_followed_between_two_readings(browser: Browser, stage: Stage) -> None:
    told = """() => import("/app/clock.js").then(({ ServerClock }) => {
        let now = 1_000_000;
        performance.now = () => now - performance.timeOrigin;
        const clock = new ServerClock(60);
        clock.hear(5_000);
        const first = clock.now();
        now += 1_000;
        const second = clock.now();
        clock.hear(5_000);
        const same = clock.now();
        clock.hear(66_000);
        return [first, second, same, clock.now()];
    })"""
    async with phone(browser) as page:
        await page.goto(stage.url)
        assert await page.evaluate(told) == [1_005_000, 1_065_000, 1_065_000, 1_067_000]


# -- who may come in ----------------------------------------------------------------------------------------------------


async def test_a_token_from_a_link_is_seen_by_nobody(browser: Browser, stage: Stage) -> None:
    asked: list[str] = []
    async with phone(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        token = stage.gate.token("awa")
        await page.goto(f"{stage.url}#token={token}")
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        assert page.url == stage.url
        await page.go_back()
        await page.go_forward()
        assert token not in page.url
    assert [url for url in asked if token in url] == []
    assert {url.split("/")[2].split(":")[0] for url in asked} == {"127.0.0.1"}
    assert any(url.startswith("ws://") for url in asked)


async def test_a_token_that_ran_out_leads_to_the_door_and_a_new_link_opens_it(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await page.goto(stage.link("awa", ttl_s=-60))
        await expect(page.locator("#door-problem")).to_contain_text("Your code has run out")
        await page.locator("[name=link]").fill("https://nowhere.example/")
        await page.locator("#door-link button").click()
        await expect(page.locator("#door-problem")).to_contain_text("Copy the whole link")
        await page.locator("[name=link]").fill(stage.link("awa"))
        await page.locator("#door-link button").click()
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        await expect(page.locator("#who")).to_have_text("Awa D.")


async def test_a_marketplace_that_hands_out_tokens_itself_needs_no_link(browser: Browser, stage: Stage) -> None:
    """With DISPATCH_TOKEN_URL the page asks there, with the marketplace's own cookies; who is not signed in there is told so."""
    signed_in = False
    asked: list[str] = []

    async def shop(route: Route) -> None:
        asked.append(route.request.method)
        answer = {"token": stage.gate.token("awa", ttl_s=30)} if signed_in else {"detail": "who are you?"}
        allowed = {"access-control-allow-origin": stage.url.removesuffix("/app/"), "access-control-allow-credentials": "true"}
        await route.fulfill(json=answer, status=200 if signed_in else 401, headers=allowed)

    async with phone(browser, bypass_csp=True) as page:
        await page.route("https://shop.example/**", shop)
        settings = {
            "device_url": None,
            "device_port": stage.network.port,
            "token_url": "https://shop.example/token",
            "speed": 1,
            "dev": False,
        }
        await page.route("**/app/settings", lambda route: route.fulfill(json=settings))
        await page.goto(stage.url)
        await expect(page.locator("#door")).to_be_visible()
        await expect(page.locator("#door-problem")).to_contain_text("Sign in at your marketplace")
        signed_in = True
        await page.reload()
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        before = len(asked)
        await stage.cut(page)
        await expect(page.locator("#link")).to_have_text("No network")
        await stage.mend(page)
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        assert len(asked) > before, "a token that ends soon is not used again"
        assert set(asked) == {"POST"}


async def test_who_signs_out_leaves_nothing_behind(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        bno = await stage.book()
        await card(page, stage, bno).locator("button.primary").click()
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
        await page.locator("[data-tab=settings]").click()
        await page.locator("#row-leave button").click()
        await expect(page.locator("#door")).to_be_visible()
        kept = await page.evaluate("JSON.stringify(localStorage)")
        assert "Rivoli" not in kept
        assert "token" not in kept.replace("token_url", "")
        await page.reload()
        await expect(page.locator("#door")).to_be_visible()


async def test_in_development_any_provider_can_be_played(browser: Browser, stage: Stage) -> None:
    async with phone(browser, provoked="status of 404") as page:
        await page.goto(f"{stage.url}#market={stage.market}&provider=nobody")
        await expect(page.locator("#door-problem")).to_contain_text("Nobody was let in")
        await page.locator("#door-dev [name=market]").fill(stage.market)
        await page.locator("#door-dev [name=provider]").fill("bea")
        await page.locator("#door-dev button").click()
        await expect(page.locator("#link[data-state=live]")).to_be_visible()
        await expect(page.locator("#who")).to_have_text("Béa L.")


# -- for everybody ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "theme"), [("fr", "light"), ("en", "dark")])
async def test_axe_finds_no_barrier_in_any_view(browser: Browser, stage: Stage, language: str, theme: str) -> None:
    async with phone(browser, language, color_scheme=theme, bypass_csp=True) as page:
        await page.goto(stage.url)
        await expect(page.locator("#door")).to_be_visible()
        assert await barriers(page) == []
        await sign_in(page, stage)
        assert await barriers(page) == []
        held, asked, taken = await stage.book(), await stage.book(hours=8, windows=3, note="3e étage"), await stage.book(hours=20)
        await card(page, stage, held).locator("button.primary").click()
        await stage.takes("bea", taken)
        await expect(card(page, stage, taken)).to_have_class("card gone")
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
        await shot(page, f"full-{language}-{theme}")
        assert await barriers(page) == []
        for button, dialog in ((1, "#refusing"), (2, "#countering")):
            await card(page, stage, asked).locator(".actions button").nth(button).click()
            await expect(page.locator(dialog)).to_be_visible()
            assert await barriers(page) == []
            await page.keyboard.press("Escape")
        for tab in ("bookings", "settings"):
            await page.locator(f"[data-tab={tab}]").click()
            assert await barriers(page) == []
            await shot(page, f"{tab}-{language}-{theme}")


async def test_axe_would_find_a_barrier(browser: Browser, stage: Stage) -> None:
    async with phone(browser, bypass_csp=True) as page:
        await page.goto(stage.url)
        await page.evaluate("document.querySelector('#language').textContent = ''; document.querySelector('.note').style.color = '#ccc'")
        await page.evaluate("document.querySelector('#door-dev').hidden = false")
        assert {found.split(":")[0] for found in await barriers(page)} == {"button-name", "color-contrast"}


async def test_a_keyboard_is_enough(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        first, second = await stage.book(), await stage.book(hours=8)
        await expect(card(page, stage, second)).to_be_visible()
        reached = []
        for _ in range(5):
            await page.keyboard.press("Tab")
            reached.append(
                await page.evaluate(
                    "document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.className"
                )
            )
        assert reached == ["skip", "language", *(f"{what}: Women’s haircut, Le Marais" for what in ("Accept", "Refuse", "Another time"))]
        await page.keyboard.press("Enter")
        await expect(page.locator("#countering")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#countering")).not_to_be_visible()
        assert str(await page.evaluate("document.activeElement.getAttribute('aria-label')")).startswith("Another time")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
        assert await page.evaluate("document.activeElement.id") == "proposals-title"  # his card has left: he goes on at the top of the list
    assert (await stage.winner(first), await stage.winner(second)) == ("awa", None)


async def test_nothing_is_cut_off_at_any_width(browser: Browser, stage: Stage) -> None:
    clipped = """() => [...document.querySelectorAll("button, h2, h3, p, label, .price")].filter((e) => {
        const box = e.getBoundingClientRect();
        return box.width && (box.right > innerWidth + 1 || box.left < -1);
    }).map((e) => e.outerHTML.slice(0, 90))"""
    async with phone(browser, "fr") as page:  # the longer words
        await sign_in(page, stage)
        bno = await stage.book(windows=2, services=["cut", "blow_dry"], note="Sonnez deux fois " * 6)
        await expect(card(page, stage, bno)).to_be_visible()
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            for tab in ("settings", "proposals"):
                await page.locator(f"[data-tab={tab}]").click()
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
                assert await page.evaluate(clipped) == [], (width, tab)
            await shot(page, f"width-{width}")


async def test_the_map_shows_the_area_and_no_more(browser: Browser, stage: Stage) -> None:
    """Before the win there is a commune's name and a cell, and nothing on the map that would tell more."""
    colours = "() => new Set(document.getElementById('ground').getContext('2d').getImageData(0, 0, 300, 150).data).size"
    async with phone(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(page, stage)
        bno = await stage.book()
        await expect(page.locator("#ground")).to_have_attribute(
            "aria-label", "Map of the areas: Le Marais. The exact address is told to who gets the booking."
        )
        await expect(page.locator("#ground")).to_be_visible()
        await page.wait_for_function(f"({colours})() > 10")
        [cell] = {url.split("/cells/")[1] for url in asked if "/cells/" in url}
        assert cell == (await stage.record(bno)).area["h3"]
        await page.locator("#ground").click()
        await expect(card(page, stage, bno).locator("h3")).to_be_focused()
