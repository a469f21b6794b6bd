"""The map's cells: what is counted, found, and shown."""

import msgspec
import pytest
from h3.api import basic_str as h3

from dispatch.engine.reach import Reach, merged, totals
from dispatch.model import CircleZone
from dispatch.zones import Circle, from_model, net_of
from tests.engine.watched import Town

PARIS = "871fb4662ffffff"


def net(**zone: float) -> set[str]:
    shape = from_model(msgspec.convert(zone, CircleZone))
    assert isinstance(shape, Circle)
    return {f"{cell:x}" for cell in net_of(shape).reach.tolist()}


async def a_pass(reach: Reach, seeds: tuple[str, ...] = ()) -> int:
    """A whole pass; how many steps it took."""
    await reach.begin(seeds)
    steps = 0
    while not reach.resting:
        await reach.step()
        steps += 1
    return steps


async def test_a_pass_finds_every_cell_that_a_zone_reaches_also_on_islands(town: Town) -> None:
    lyon = {"lat": 45.764, "lng": 4.8357, "radius_km": 3}
    await town.add("p-lyon", zone={"type": "circle", **lyon})
    reach = Reach(town.store, town.name)
    await a_pass(reach)
    paris = net(lat=48.86, lng=2.35, radius_km=6)
    assert reach.shown()["counts"] == dict.fromkeys(paris, 6) | dict.fromkeys(net(**lyon), 1)
    assert reach.shown()["shapes"].keys() == reach.shown()["counts"].keys()


async def test_a_zone_of_large_cells_counts_in_the_small_cells_on_them(town: Town) -> None:
    wide = {"lat": 48.86, "lng": 2.35, "radius_km": 60}
    await town.add("p-wide", zone={"type": "circle", **wide})
    reach = Reach(town.store, town.name)
    await a_pass(reach)
    assert reach.shown()["counts"] == dict.fromkeys(net(lat=48.86, lng=2.35, radius_km=6), 7) | dict.fromkeys(net(**wide), 1)


async def test_from_a_booking_the_city_around_it_is_found_in_a_few_steps(town: Town) -> None:
    reach = Reach(town.store, town.name)
    await reach.begin([PARIS])
    while reach.spreading:
        await reach.step()
    assert reach.shown()["counts"] == dict.fromkeys(net(lat=48.86, lng=2.35, radius_km=6), 6)
    assert not reach.resting  # the sweep for islands is still to come


async def test_what_nobody_reaches_any_more_goes_with_the_next_pass(town: Town) -> None:
    reach = Reach(town.store, town.name)
    await a_pass(reach, (PARIS,))
    for number in range(6):
        await town.add(f"p-{number}", zone={"type": "circle", "lat": 48.86, "lng": 2.35, "radius_km": 2})
    await a_pass(reach)
    assert reach.shown()["counts"] == dict.fromkeys(net(lat=48.86, lng=2.35, radius_km=2), 6)


async def test_a_market_without_zones_has_no_cells(town: Town) -> None:
    reach = Reach(town.store, "m-nowhere")
    assert await a_pass(reach) == 1
    assert reach.shown() == {"counts": {}, "shapes": {}}


def test_totals_add_the_larger_cells_around() -> None:
    around = h3.cell_to_parent(PARIS, 5)
    beside = next(cell for cell in h3.grid_ring(PARIS, 9) if h3.cell_to_parent(cell, 5) != around)
    assert totals({PARIS: 3, around: 2, beside: 1}) == {PARIS: 5, around: 2, beside: 1}


@pytest.mark.parametrize(("most", "resolution"), [(400, 7), (100, 6), (20, 5), (8, 4), (2, 3)])
def test_too_many_cells_are_merged_into_larger_ones_that_count_as_their_best_part(most: int, resolution: int) -> None:
    counts = {cell: number for number, cell in enumerate(h3.grid_disk(PARIS, 9), 1)}
    found = merged(counts, most)
    assert {h3.get_resolution(cell) for cell in found} == {resolution}
    assert len(found) <= most
    assert max(found.values()) == max(counts.values())
