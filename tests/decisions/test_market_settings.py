"""What a market is given that chooses nothing: the figures of the rules."""

from typing import Any

import msgspec
import pytest

from dispatch.model import MarketSettings

BY_CLASS = ("last_minute", "same_day", "advance", "far")
CADENCE = zip(BY_CLASS, (21_600, 86_400, 259_200, None), (3, 2, 1, 1), (180, 600, 1_800, 3_600), strict=True)

FIGURES: dict[str, Any] = {
    "booking_cutoff_s": 7_200,  # R10
    "travel_gap_s": 1_800,  # R2
    "open_proposals_cap": 5,  # R2
    "newcomer_share": 0.1,  # R6
    "newcomer_answers": 10,
    "under_performing_score": 3.0,  # R7
    "under_performing_orders": 10,
    "coverage_threshold": 3,  # R9
    "cadence": [{"class": name, "lead_under_s": under, "size": size, "pause_s": pause} for name, under, size, pause in CADENCE],  # R12
    "quiet_hours": {"from": "22:00", "to": "07:00"},
    "answer_s": dict(zip(BY_CLASS, (600, 1_800, 14_400, 43_200), strict=True)),  # R12b
    "delivery_grace_s": {"last_minute": 20, "other": 120},  # R14
    "fair_window_s": 0,  # R16
    "search_deadline_s": 3_600,  # R17
    "reopened_deadline_s": 900,
    "longest_search_s": {"same_day": 28_800, "advance": 86_400, "far": 259_200},
    "response_cap_s": 3_600,  # R22
    "counter_valid_s": 10_800,  # R24
    "counter_cutoff_s": 3_600,
    "counter_near_s": 1_800,
    "preferred_hold_s": {"last_minute": 120, "other": 1_800},  # R26
    "bonus_steps": [{"hours_min": 60, "zone_km": 0}, {"hours_min": 0, "zone_km": 5}, {"hours_min": 60, "zone_km": 5}],  # R30
    "bonus_mode": "approve",  # R31
    "no_show_after_s": 300,  # R37
    "pause_after": 4,  # R40
}


@pytest.mark.proves("R2.g", "R2.k", "R6.a", "R7.a", "R9.b", "R10.a", "R12.a", "R12.c", "R12b.a", "R14.b", "R16.a")
@pytest.mark.proves("R17.a", "R17.b", "R17.d", "R22.c", "R24.b", "R24.f", "R24.i", "R26.b", "R30.b", "R31.a", "R37.a", "R40.a")
def test_a_market_that_chooses_nothing_goes_by_the_figures_of_the_rules() -> None:
    given = msgspec.json.decode(msgspec.json.encode(MarketSettings()))
    assert {name: given[name] for name in FIGURES} == FIGURES
