"""The city's places: which are taken, and how they are drawn."""

from collections import Counter
from random import Random

import pytest

from dispatch.demo.city import SPREAD_KM, City, Commune, Point, away, communes_of, distance_km, paris

ROWS = [
    {"countrycode": "FR", "name": "Paris", "latitude": 48.8534, "longitude": 2.3488, "population": 2_138_551},
    {"countrycode": "FR", "name": "Paris 12 Reuilly", "latitude": 48.8412, "longitude": 2.3876, "population": 138_024},
    {"countrycode": "FR", "name": "Paris 12e Arrondissement", "latitude": 48.8352, "longitude": 2.4350, "population": 140_311},
    {"countrycode": "FR", "name": "Bel-Air", "latitude": 48.8399, "longitude": 2.4049, "population": 33_976},
    {"countrycode": "FR", "name": "Vincennes", "latitude": 48.8486, "longitude": 2.4377, "population": 45_923},
    {"countrycode": "FR", "name": "Lille", "latitude": 50.633, "longitude": 3.0586, "population": 234_475},
    {"countrycode": "US", "name": "Paris", "latitude": 48.85, "longitude": 2.35, "population": 25_000},
]


def test_arrondissements_and_communes_are_taken_quarters_and_the_whole_are_not() -> None:
    assert [commune.name for commune in communes_of(ROWS)] == ["Paris 12 Reuilly", "Vincennes"]


def test_paris_has_twenty_arrondissements_and_its_neighbours() -> None:
    names = [commune.name for commune in paris().communes]
    assert sum(name.startswith("Paris ") for name in names) == 20
    assert {"Montreuil", "Saint-Denis", "Boulogne-Billancourt", "Bagnolet", "Le Pré-Saint-Gervais", "Saint-Ouen"} <= set(names)
    assert not {"Bel-Air", "Picpus", "Gare", "Roquette", "Paris"} & set(names)


def test_places_are_drawn_as_often_as_people_live_there() -> None:
    city = City([Commune("big", Point(48.8, 2.3), 30_000), Commune("small", Point(48.9, 2.4), 10_000)])
    chance = Random(1)
    drawn = [city.draw(chance) for _ in range(4_000)]
    assert Counter(commune.name for commune, _ in drawn)["big"] == pytest.approx(3_000, rel=0.05)
    assert all(distance_km(commune.middle, point) <= SPREAD_KM * 1.001 for commune, point in drawn)


@pytest.mark.parametrize("km", [0.1, 2, 12])
def test_going_some_km_away_is_that_far(km: float) -> None:
    for bearing in (0, 1, 2, 3, 4, 5, 6):
        assert distance_km(Point(48.8566, 2.3522), away(Point(48.8566, 2.3522), km, bearing)) == pytest.approx(km, rel=0.001)
