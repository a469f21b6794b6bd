"""A provider plays his part in a real browser, in French and in English: he is asked, answers, wins, loses, goes through a tunnel."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import anyio
import pytest
from playwright.async_api import Browser, Page, Route

from tests.browser.stage import ADDRESS, Stage, barriers, booking, card, expect, phone, shot, sign_in
from tests.gateway.gate import PLACE

BOTH = pytest.mark.parametrize("language", ["fr", "en"])

LIVE = {"fr": "Connecté", "en": "Connected"}
OFFLINE = {"fr": "Pas de réseau", "en": "No network"}
CUT = {"fr": "Coupe femme", "en": "Women’s haircut"}
FASTER = {"fr": "Un autre professionnel a été plus rapide.", "en": "Another professional was faster."}
TAKEN = {"fr": "Un autre professionnel l’a prise.", "en": "Another professional took it."}
CANCELLED = {"fr": "Le client a annulé.", "en": "The client cancelled."}
QUEUED = {"fr": "Partira dès que vous serez connecté.", "en": "Will be sent when you are connected."}
ANSWER_WITHIN = {"fr": r"^Réponse attendue sous (10:00|9:\d\d)$", "en": r"^Answer within (10:00|9:\d\d)$"}
HELD = {"fr": "Vos horaires attendent que les autres aient répondu.", "en": "Your other times wait until the others have answered."}


async def accept(page: Page, stage: Stage, bno: int) -> None:
    await card(page, stage, bno).locator("button.primary").click()


@BOTH
async def test_he_is_asked_and_wins(browser: Browser, stage: Stage, language: str) -> None:
    async with phone(browser, language) as page:
        await sign_in(page, stage)
        await expect(page.locator("#link")).to_have_text(LIVE[language])
        await expect(page.locator("#who")).to_have_text("Awa D.")
        bno = await stage.book(note="3e étage")
        asked = card(page, stage, bno)
        await expect(asked.locator("h3")).to_have_text(CUT[language])
        await expect(asked).to_contain_text("Le Marais")
        await expect(asked).to_contain_text("3e étage")
        await expect(asked.locator("[role=timer]")).to_have_text(re.compile(ANSWER_WITHIN[language]))
        assert ADDRESS not in await page.content(), "the address is the winner's alone"
        assert "48.85" not in await page.content()
        await shot(page, f"asked-{language}")
        await accept(page, stage, bno)
        await expect(page.locator("#said")).to_contain_text({"fr": "Elle est à vous", "en": "It is yours"}[language])
        await expect(asked).to_have_count(0)
        await page.locator("[data-tab=bookings]").click()
        await expect(booking(page, bno)).to_contain_text(ADDRESS)
        await expect(booking(page, bno)).to_contain_text("c-secret")
        await shot(page, f"won-{language}")
    assert await stage.winner(bno) == "awa"


async def test_what_is_on_the_screen_is_received_and_seen(browser: Browser, stage: Stage) -> None:
    """R22: the clock of his answer starts with what he sees, not with what lies below the edge of the screen."""
    async with phone(browser, viewport={"width": 390, "height": 500}) as page:
        await sign_in(page, stage)
        first = await stage.book()
        await expect(card(page, stage, first)).to_be_in_viewport(ratio=0.4)
        below = await stage.book(hours=8, windows=3)
        await expect(card(page, stage, below)).to_be_attached()
        await expect(card(page, stage, below)).not_to_be_in_viewport(ratio=0.4)
        awa = stage.numbers["awa"]
        await until(page, stage, lambda one, two: bool(one[awa].seen_at and two[awa].received_at and not two[awa].seen_at), first, below)
        await card(page, stage, below).scroll_into_view_if_needed()
        await until(page, stage, lambda one, two: bool(two[awa].seen_at), first, below)


async def until(page: Page, stage: Stage, true: object, *bookings: int) -> None:
    """Waits for the store to know something of the proposals of these bookings."""
    for _ in range(100):
        found = [(await stage.record(bno)).proposals for bno in bookings]
        if true(*found):  # type: ignore[operator]
            return
        await page.wait_for_timeout(50)
    raise AssertionError(found)


@BOTH
async def test_he_loses_the_network_comes_back_and_his_answer_wins(browser: Browser, stage: Stage, language: str) -> None:
    """P8: after the tunnel he sees exactly what is open; what he answered inside is said then, once."""
    await stage.online("awa")  # a tablet of hers at home: she stays reachable (R2)
    async with phone(browser, language) as page:
        await sign_in(page, stage)
        kept, lost = await stage.book(), await stage.book(hours=8)
        await expect(card(page, stage, lost)).to_be_visible()
        await stage.cut(page)
        await expect(page.locator("#link")).to_have_text(OFFLINE[language])
        await expect(page.locator(".notice.away")).to_be_visible()
        await accept(page, stage, kept)
        await expect(card(page, stage, kept).locator(".state")).to_have_text(QUEUED[language])
        await shot(page, f"tunnel-{language}")
        await stage.cancel(lost)
        missed = await stage.book(hours=12)
        await stage.mend(page)
        await expect(page.locator("#link")).to_have_text(LIVE[language])
        await expect(card(page, stage, missed)).to_be_visible()
        await expect(card(page, stage, lost).locator(".why")).to_have_text(CANCELLED[language])
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
        await expect(card(page, stage, kept)).to_have_count(0)
        await shot(page, f"back-{language}")
    assert await stage.winner(kept) == "awa"
    events = [event["type"] for event in (await stage.gate.desk.timeline(stage.market, f"b-{kept}"))["events"]]
    assert events.count("Accepted") == 1


@BOTH
async def test_he_loses_a_race(browser: Browser, stage: Stage, language: str) -> None:
    """R15: he is told at once, and why; an accept that comes too late is told the same, and is no error."""
    async with phone(browser, language) as page:
        await sign_in(page, stage)
        watched, raced = await stage.book(), await stage.book(hours=8)
        await expect(card(page, stage, raced)).to_be_visible()
        assert await stage.takes("bea", watched) == "won"
        await expect(card(page, stage, watched).locator(".why")).to_have_text(TAKEN[language])
        await stage.cut(page)
        await expect(page.locator("#link")).to_have_text(OFFLINE[language])
        assert await stage.takes("bea", raced) == "won"
        await accept(page, stage, raced)
        await stage.mend(page)
        await expect(card(page, stage, raced).locator(".why")).to_have_text(FASTER[language])
        await shot(page, f"lost-{language}")
        await expect(page.locator('[data-tab="bookings"] .count')).to_be_empty()
        await card(page, stage, raced).locator(".dismiss").click()
        await expect(card(page, stage, raced)).to_have_count(0)


@BOTH
async def test_he_proposes_other_times_and_the_client_takes_one(browser: Browser, stage: Stage, language: str) -> None:
    """R24: what he proposes stands in his list with how it is; the original stays his to accept; an agreed time becomes a booking."""
    async with phone(browser, language, timezone_id="Pacific/Auckland") as page:
        said: list[str] = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: said.append(repr(frame))))
        await sign_in(page, stage)
        bno = await stage.book()
        await card(page, stage, bno).locator(".actions button").nth(2).click()
        times = page.locator("#countering-times input")
        later = datetime.fromtimestamp((await stage.record(bno)).windows[0].start / 1_000, UTC) + timedelta(hours=1)
        in_paris = later.astimezone(ZoneInfo("Europe/Paris"))
        assert await times.first.input_value() == in_paris.strftime("%Y-%m-%dT%H:%M"), "the market's clock, not the phone's"
        await page.locator("#countering-more").click()
        await page.locator("#countering .primary").click()
        await expect(times).to_have_count(2)  # an empty one is not let through
        await times.nth(1).fill((in_paris + timedelta(days=2)).strftime("%Y-%m-%dT18:30"))
        await page.locator("#countering textarea").fill("Avec plaisir")
        await shot(page, f"counter-{language}")
        await page.locator("#countering .primary").click()
        mine = page.locator("#counters li.card")
        await expect(mine).to_have_attribute("data-state", "held")  # Béa has yet to answer
        await expect(mine.locator("h4")).to_have_text(CUT[language])
        await expect(mine.locator("li.when")).to_have_count(2)
        await expect(mine.locator(".state")).to_have_text(HELD[language])
        await expect(card(page, stage, bno).locator(".state")).to_have_text(HELD[language])
        await expect(card(page, stage, bno).locator("button.primary")).to_be_enabled()
        [sent] = [frame for frame in said if "counter" in frame]
        assert "Avec plaisir" in sent
        await stage.refuses("bea", bno)
        await expect(mine).to_have_attribute("data-state", "shown")
        assert await barriers(page) == []
        await shot(page, f"countered-{language}")
        await stage.client_takes(bno, window=1)
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
        await expect(mine).to_have_attribute("data-state", "accepted")
        await expect(card(page, stage, bno)).to_have_count(0)
        await mine.locator("button").click()
        await expect(page.locator("#counters")).to_be_hidden()
        await page.locator("[data-tab=bookings]").click()
        await expect(booking(page, bno)).to_contain_text("18:30")
    assert await stage.winner(bno) == "awa"


async def test_the_client_wants_none_of_his_times_and_the_original_stays_his_to_accept_r24(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        bno = await stage.book()
        await stage.refuses("bea", bno)
        await card(page, stage, bno).locator(".actions button").nth(2).click()
        await page.locator("#countering .primary").click()
        mine = page.locator("#counters li.card")
        await expect(mine).to_have_attribute("data-state", "shown")
        await stage.client_declines(bno)
        await expect(mine).to_have_attribute("data-state", "declined")
        await expect(mine.locator(".state")).to_have_text("The client declined your other times.")
        await accept(page, stage, bno)
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
    assert await stage.winner(bno) == "awa"


@BOTH
async def test_he_reports_a_proposal_and_may_still_answer_it_r25(browser: Browser, stage: Stage, language: str) -> None:
    """Ops are told in his words; the card stays what it was. One that is gone can be reported as well."""
    sent = {"fr": "Quelqu’un va regarder", "en": "Somebody will look at it"}[language]
    async with phone(browser, language, bypass_csp=True) as page:
        await sign_in(page, stage)
        asked, gone = await stage.book(), await stage.book(hours=8)
        await stage.takes("bea", gone)
        await expect(card(page, stage, gone)).to_have_class("card gone")
        await card(page, stage, asked).locator(".report").focus()
        await page.keyboard.press("Enter")
        await page.locator("#reporting .primary").click()
        await expect(page.locator("#reporting-problem")).not_to_be_empty()  # nothing said is nothing reported
        await page.locator("#reporting textarea").fill("L’adresse est un entrepôt")
        assert await barriers(page) == []
        await shot(page, f"report-{language}")
        await page.locator("#reporting .primary").click()
        await expect(page.locator("#said")).to_contain_text(sent)
        await expect(card(page, stage, asked).locator("button.primary")).to_be_enabled()
        await page.locator("#said").click()
        await card(page, stage, gone).locator(".report").click()
        await page.locator("#reporting textarea").fill("Encore lui")
        await page.locator("#reporting .primary").click()
        await expect(page.locator("#said")).to_contain_text(sent)
        await accept(page, stage, asked)
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
    for bno, words in ((asked, "L’adresse est un entrepôt"), (gone, "Encore lui")):
        events = [event["type"] for event in (await stage.gate.desk.timeline(stage.market, f"b-{bno}"))["events"]]
        assert events.count("Reported") == 1
        assert words in await stage.reported(bno)
    assert await stage.winner(asked) == "awa"


@BOTH
async def test_a_refusal_suggests_a_change_that_he_confirms(browser: Browser, stage: Stage, language: str) -> None:
    """R20: what follows from his reason is said; nothing changes before his word, and then just that."""
    away = {"lat": PLACE["lat"] + 0.0405, "lng": PLACE["lng"]}  # four and a half kilometres
    async with phone(browser, language) as page:
        await sign_in(page, stage)
        for press, radius in ((1, 6.0), (0, 4.5)):
            bno = await stage.book(place=away)
            await card(page, stage, bno).locator(".actions button").nth(1).click()
            await page.locator("#refusing input[value=too_far]").check()
            await page.locator("#refusing .primary").click()
            offered = page.locator("#suggested li")
            await expect(offered).to_contain_text({"fr": "4,5 km au lieu de 6 km", "en": "4.5 km instead of 6 km"}[language])
            assert await barriers(page) == []
            await shot(page, f"suggested-{language}")
            await offered.locator("button").nth(press).click()
            await expect(page.locator("#suggested")).to_be_hidden()
            zone = (await stage.gate.desk.provider(stage.market, "awa"))["zone"]
            assert zone["radius_km"] == radius
            await stage.cancel(bno)


@BOTH
async def test_he_sets_his_hours_and_asks_the_marketplace(browser: Browser, stage: Stage, language: str) -> None:
    async with phone(browser, language) as page:
        await sign_in(page, stage)
        await page.locator("[data-tab=settings]").click()
        await page.locator("#row-quiet button").click()
        await page.locator("#quieting [name=from]").fill("03:15")
        await page.locator("#quieting [name=to]").fill("03:15")
        await page.locator("#quieting .primary").click()
        await expect(page.locator("#quieting-problem")).not_to_be_empty()
        await page.locator("#quieting [name=to]").fill("04:45")
        assert await barriers(page) == []
        await shot(page, f"quiet-{language}")
        await page.locator("#quieting .primary").click()
        await expect(page.locator("#row-quiet-text")).to_contain_text("03:15")
        assert (await stage.gate.desk.provider(stage.market, "awa"))["do_not_disturb"] == {"from": "03:15", "to": "04:45"}
        await page.locator("#row-quiet button").click()
        await page.locator("#quieting [value=none]").click()
        await expect(page.locator("#row-quiet-text")).not_to_contain_text("03:15")
        await page.locator("#row-wish button").first.click()
        await page.locator("#wishing .primary").click()
        await expect(page.locator("#wishing-problem")).not_to_be_empty()
        await page.locator("#wishing textarea").fill("Lissage")
        assert await barriers(page) == []
        await page.locator("#wishing .primary").click()
        await expect(page.locator("#said")).to_contain_text({"fr": "Quelqu’un s’en occupera", "en": "Somebody will see to it"}[language])
        await page.locator("#row-wish button").nth(1).click()
        await page.locator("#wishing .primary").click()
        await expect(page.locator("#wishing")).not_to_be_visible()
        await expect(page.locator("#said")).to_contain_text({"fr": "Quelqu’un s’en occupera", "en": "Somebody will see to it"}[language])
    asked = (await stage.gate.desk.follow_ups.listed(stage.market))["open"]
    assert [(one["kind"], one["text"], one["provider_id"]) for one in asked] == [("service", "Lissage", "awa"), ("talk", "", "awa")]
    assert (await stage.gate.desk.provider(stage.market, "awa"))["do_not_disturb"] is None


@BOTH
async def test_he_refuses_with_a_reason_and_it_costs_nothing(browser: Browser, stage: Stage, language: str) -> None:
    async with phone(browser, language) as page:
        await sign_in(page, stage)
        plain, told = await stage.book(), await stage.book(hours=8)
        for bno, choice, text in ((plain, "price_too_low", ""), (told, "other", "Ma voiture est en panne")):
            await card(page, stage, bno).locator(".actions button").nth(1).click()
            await page.locator(f"#refusing input[value={choice}]").check()
            if text:
                await page.locator("#refusing [name=text]").fill(text)
                await shot(page, f"refuse-{language}")
            await page.locator("#refusing .primary").click()
            await expect(card(page, stage, bno)).to_have_count(0)
        await expect(page.locator("#said")).to_contain_text({"fr": "Cela ne vous coûte rien", "en": "That costs you nothing"}[language])
    for bno, reason in ((plain, "price_too_low"), (told, "Ma voiture est en panne")):
        found = await stage.gate.desk.booking(stage.market, f"b-{bno}")
        assert [(p["state"], p["reason"]) for p in found["proposals"] if p["provider_id"] == "awa"] == [("refused", reason)]


async def test_of_several_times_he_chooses_one(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        bno = await stage.book(windows=3)
        await card(page, stage, bno).locator("input[type=radio]").nth(2).check()
        await accept(page, stage, bno)
        await expect(page.locator('[data-tab="bookings"] .count')).to_have_text("1")
    assert (await stage.record(bno)).window == 2


async def test_undone_in_the_tunnel_is_never_said(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        bno = await stage.book()
        await expect(card(page, stage, bno)).to_be_visible()
        await stage.cut(page)
        await expect(page.locator("#link")).to_have_text("No network")
        await accept(page, stage, bno)
        await card(page, stage, bno).locator(".undo").click()
        await expect(page.locator("#said")).to_contain_text("Nothing was sent")
        await stage.mend(page)
        await expect(page.locator("#link")).to_have_text("Connected")
        await expect(card(page, stage, bno).locator("button.primary")).to_be_visible()
    assert await stage.winner(bno) is None


async def test_answered_on_another_device_it_is_gone_here_too(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page, phone(browser) as tablet:
        for each in (page, tablet):
            await sign_in(each, stage)
        bno = await stage.book()
        await expect(card(tablet, stage, bno)).to_be_visible()
        await accept(page, stage, bno)
        await expect(card(tablet, stage, bno).locator(".why")).to_have_text("You answered it on another device.")
        await expect(tablet.locator('[data-tab="bookings"] .count')).to_have_text("1")


async def test_a_booking_that_the_client_cancels_does_not_vanish_silently(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        bno = await stage.book()
        await accept(page, stage, bno)
        await page.locator("[data-tab=bookings]").click()
        await expect(booking(page, bno)).to_be_visible()
        await stage.cancel(bno)
        await expect(page.locator("#alarm")).to_contain_text("this booking was cancelled")
        await expect(page.locator("#visits .gone h3")).to_contain_text("this booking was cancelled")
        await expect(booking(page, bno)).to_have_count(0)


@BOTH
async def test_he_switches_himself_off_and_on(browser: Browser, stage: Stage, language: str) -> None:
    async with phone(browser, language) as page:
        await sign_in(page, stage)
        await page.locator("[data-tab=settings]").click()
        switch = page.locator("#row-available [role=switch]")
        await expect(switch).to_have_attribute("aria-checked", "true")
        await switch.click()
        await expect(page.locator(".notice.off")).to_be_visible()
        await expect(switch).to_have_attribute("aria-checked", "false")
        await shot(page, f"off-{language}")
        assert not (await stage.gate.desk.provider(stage.market, "awa"))["available"]
        bno = await stage.book()
        await page.reload()
        await expect(page.locator(".notice.off")).to_be_visible()
        assert stage.numbers["awa"] not in (await stage.record(bno)).proposals
        await page.locator(".notice.off button").click()
        await expect(page.locator(".notice.off")).to_have_count(0)
        await expect(switch).to_have_attribute("aria-checked", "true")
    assert (await stage.gate.desk.provider(stage.market, "awa"))["available"]


async def test_his_quiet_hours_are_told(browser: Browser, stage: Stage) -> None:
    await stage.put("awa", name="Awa D.", do_not_disturb={"from": "12:00", "to": "14:00"})
    async with phone(browser) as page:
        await sign_in(page, stage)
        await page.locator("[data-tab=settings]").click()
        await expect(page.locator("#row-quiet")).to_contain_text("Every day from 12:00 to 14:00")


async def test_the_countdown_is_the_servers_whatever_the_phone_thinks_the_time_is(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await page.add_init_script("const now = Date.now; Date.now = () => now() + 3 * 3600e3;")
        await sign_in(page, stage)
        bno = await stage.book()
        timer = card(page, stage, bno).locator("[role=timer]")
        await expect(timer).to_have_text(re.compile(ANSWER_WITHIN["en"]))
        before = await timer.text_content()
        await expect(timer).not_to_have_text(before or "")


async def test_language_is_the_browsers_until_another_is_chosen(browser: Browser, stage: Stage) -> None:
    async with phone(browser, "fr") as page:
        await sign_in(page, stage)
        bno = await stage.book()
        await expect(card(page, stage, bno).locator("h3")).to_have_text("Coupe femme")
        await page.locator("#language").click()
        for _ in range(2):
            await expect(card(page, stage, bno).locator("h3")).to_have_text("Women’s haircut")
            await expect(page.locator("#proposals-title")).to_have_text("Proposals")
            assert await page.evaluate("document.documentElement.lang") == "en"
            await page.reload()


async def test_nothing_leaves_the_screen_when_the_phones_clock_is_set_by_hours(browser: Browser, stage: Stage) -> None:
    async with phone(browser) as page:
        await sign_in(page, stage)
        first = await stage.book()
        await expect(card(page, stage, first).locator("[role=timer]")).to_have_text(re.compile(ANSWER_WITHIN["en"]))
        await page.evaluate("(() => { const now = Date.now; Date.now = () => now() + 4 * 3600e3; })()")
        second = await stage.book()
        for bno in (second, first):
            await expect(card(page, stage, bno).locator("[role=timer]")).to_have_text(re.compile(ANSWER_WITHIN["en"]))
        await expect(page.locator("#cards li.gone")).to_have_count(0)


async def test_names_that_are_learned_late_are_shown_then(browser: Browser, stage: Stage) -> None:
    """The first proposal may be here before what the page asks for about its provider."""
    known = anyio.Event()

    async def hold(route: Route) -> None:
        await known.wait()
        await route.continue_()

    async with phone(browser, "fr") as page:
        await page.route("**/app/me", hold)
        await sign_in(page, stage)
        bno = await stage.book()
        await expect(card(page, stage, bno).locator("h3")).to_have_text("Cut")
        known.set()
        await expect(card(page, stage, bno).locator("h3")).to_have_text("Coupe femme")


async def test_both_languages_have_the_same_words(browser: Browser, stage: Stage) -> None:
    names = """import('/app/words.js').then(({wordsOf}) => {
        const below = (name, text) => names(text).map((inner) => `${name}.${inner}`);
        const inside = ([name, text]) => (typeof text === "object" ? below(name, text) : [name + typeof text]);
        const names = (table) => Object.entries(table).flatMap(inside);
        return [names(wordsOf("fr")), names(wordsOf("en"))];
    })"""
    async with phone(browser) as page:
        await page.goto(stage.url)
        french, english = await page.evaluate(names)
    assert sorted(french) == sorted(english)
    assert len(english) > 100
