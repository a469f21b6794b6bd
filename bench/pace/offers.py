"""Answers drawn from real offers: 6,391 requests to real providers, what each of them did and after how long.

Source: Edelman, Luca, Svirsky, AEJ: Applied 9(2) 2017, doi 10.1257/app.20160213, replication package doi 10.3886/E113691V1; the file is
read when the bench runs. Each provider was asked once, so what is his own is known only as far as those like him (reviews, listings)
agree. The requests were for a weekend two months ahead: professionals with a telephone in their pocket answer ``FASTER`` times as fast.
"""

import csv
import gzip
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from bench.pace.world import ACCEPT, NEWCOMERS, REFUSE, SILENT, Drawn, Pro, Scenario, World, ranked, with_answers

NAME = "offers_airbnb_audit.csv.gz"
COLUMNS = ("outcome", "response_s", "n_reviews", "n_listings", "rating")
YES, NO = (
    frozenset(("accept", "accept_conditional")),
    frozenset(("reject",)),
)  # whoever asks, postpones or counters does not decide the race
FASTER = 4.0
REVIEWS = (0, 2, 10, 30)  # where a band of numbers of reviews begins
FEWEST = 50  # offers of providers of one kind

REAL = Scenario(name="real_offers", about=f"answers of real providers, {FASTER:g} times as fast, a day to find somebody", lead_h=50)


class NoOffers(Exception):
    """The file of offers is not there, or is another; the text says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One request: what became of it and when, and what kind of provider got it. ``merit``: his rating and reviews, for his rank."""

    does: int
    after_ms: int
    kind: tuple[int, int]
    merit: float


def find(chosen: Path | None) -> Path:
    """The file: the one named, else the one in DISPATCH_DATA_SETS, else in ``shared/data`` beside the project. Raises NoOffers."""
    folder = os.environ.get("DISPATCH_DATA_SETS")
    path = chosen or (Path(folder) if folder else Path(__file__).resolve().parents[3] / "shared" / "data") / NAME
    if not path.is_file():
        raise NoOffers(f"no file of offers at {path}; name it with --offers, or set DISPATCH_DATA_SETS to the folder that holds {NAME}")
    return path


def read(path: Path) -> list[Offer]:
    """Every offer of the file. Raises NoOffers."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            return offers_of(csv.DictReader(lines))
    except (OSError, EOFError, UnicodeDecodeError) as unreadable:
        raise NoOffers(f"{path} is no csv.gz: {unreadable}") from unreadable


def offers_of(lines: Iterable[Mapping[str, str]]) -> list[Offer]:
    """Offers from the lines of a csv. Raises NoOffers."""
    found = []
    for number, line in enumerate(lines, 2):
        if missing := [name for name in COLUMNS if line.get(name) is None]:
            raise NoOffers(f"line {number} has no {missing[0]}; the columns needed are {', '.join(COLUMNS)}")
        found.append(_offer(line))
    if not found:
        raise NoOffers("the file has no offers")
    return found


def _offer(line: Mapping[str, str]) -> Offer:
    decided = ACCEPT if line["outcome"] in YES else REFUSE if line["outcome"] in NO else SILENT
    reviews, listings = int(float(line["n_reviews"] or 0)), int(float(line["n_listings"] or 1))
    seconds = float(line["response_s"]) if line["response_s"] else None
    return Offer(
        does=SILENT if seconds is None else decided,
        after_ms=max(1_000, round((seconds or 0) * 1_000 / FASTER)),
        kind=(sum(reviews >= edge for edge in REVIEWS), min(listings, 2)),
        merit=float(line["rating"] or 4) + 0.2 * min(5.0, np.log1p(reviews)),
    )


def world_of(offers: Sequence[Offer], count: int, seed: int, scenario: Scenario = REAL) -> World:
    """A world of providers each like one who is in the file, who answers as those of his kind did."""
    kinds: dict[tuple[int, int], list[Offer]] = {}
    for offer in offers:
        kinds.setdefault(offer.kind, []).append(offer)
    tables = [_table(ones) for ones in kinds.values() if len(ones) >= FEWEST] or [_table(offers)]
    number = {kind: index for index, kind in enumerate(kind for kind, ones in kinds.items() if len(ones) >= FEWEST)}
    chance = np.random.default_rng((seed, 0))
    like = [offers[index] for index in chance.integers(0, len(offers), scenario.providers)]
    merit = np.array([one.merit for one in like])
    rest = [{"yes": 0.0, "refuse": 0.0, "median_ms": 0.0, "kind": number.get(one.kind, 0)} for one in like]
    pros = ranked((merit - merit.mean()) / (merit.std() or 1), chance.random(len(like)) < NEWCOMERS, rest)

    yes = [float((table[:, 0] == ACCEPT).mean()) for table in tables]

    def answers(chance: Generator, fit: Sequence[Pro]) -> Drawn:
        rows = [tables[pro.kind][chance.integers(0, len(tables[pro.kind]))] for pro in fit]
        return [int(does) for does, _ in rows], [int(after) for _, after in rows], [yes[pro.kind] for pro in fit]

    return with_answers(scenario, pros, count, seed, answers)


def _table(offers: Sequence[Offer]) -> np.ndarray:
    return np.array([(offer.does, offer.after_ms) for offer in offers])
