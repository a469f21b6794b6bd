"""Samples, frames and verbs become a table of steps: nothing is lost, nothing that waits is counted, shared work is charged by counts."""

import pytest

from bench.flame import Stacks
from bench.steps import BESIDE, OF_VERB, PATTERNS, ROWS, Frames, busy, frames, shares, store_shares
from dispatch.store.functions import library

RUN, READ = "Runner.run (asyncio/runners.py)", "Gateway._read_one (dispatch/gateway/server.py)"
METRICS = """\
# HELP dispatch_gateway_frames_total Frames by direction (in, out) and type of message.
dispatch_gateway_frames_total{direction="in",process="g1",type="ack"} 5.0
dispatch_gateway_frames_total{direction="in",process="g2",type="ack"} 2.0
dispatch_gateway_frames_total{direction="out",type="proposal"} 1e+01
dispatch_gateway_links{encoding="json"} 3.0
"""


def test_frames_of_all_gateways_are_counted_together() -> None:
    assert frames(METRICS) == {("in", "ack"): 7, ("out", "proposal"): 10}


def test_a_thread_that_waits_is_no_cost() -> None:
    waiting, working = ("Queue.get (queue.py)", "Condition.wait (threading.py)"), (RUN,)
    assert busy(Stacks({waiting: 700, working: 3})) == {working: 3}


def test_what_is_written_is_charged_by_the_frames_of_each_step_and_the_loop_as_the_steps_are() -> None:
    stacks = Stacks(
        {(RUN, "Relay.run (dispatch/gateway/relay.py)"): 30, (RUN, "Receipts.run (dispatch/gateway/receipts.py)"): 10, (RUN,): 60}
    )
    counted: Frames = Frames({("out", "proposal"): 5, ("out", "withdrawn"): 4, ("out", "result"): 1, ("in", "ack"): 99})
    found = shares("gateway", stacks, counted)
    assert found == pytest.approx({"frame": 0.375, "withdrawn": 0.3, "accept": 0.075, "ack": 0.25})


def test_what_is_read_is_charged_by_what_was_said() -> None:
    stacks = Stacks({(RUN, READ): 8})
    counted: Frames = Frames({("in", "ack"): 5, ("in", "accept"): 1, ("in", "pong"): 2, ("out", "proposal"): 50})
    assert shares("gateway", stacks, counted) == pytest.approx({"ack": 0.625, "accept": 0.125, BESIDE: 0.25})


@pytest.mark.parametrize("process", list(PATTERNS))
def test_nothing_seen_is_lost_even_where_nothing_says_whose_it_is(process: str) -> None:
    assert shares(process, Stacks({(RUN,): 4}), Frames()) == {BESIDE: 1.0}
    assert shares(process, Stacks(), Frames()) == {}


def test_the_search_is_taken_out_of_the_opening_it_is_a_part_of() -> None:
    verbs = {"open": (1.0, 600.0), "match": (1.0, 200.0), "tally": (2.0, 100.0), "accept": (1.0, 200.0)}
    assert store_shares(verbs) == pytest.approx({"open": 0.4, "match": 0.4, "accept": 0.2})
    assert store_shares({}) == {}


def test_each_verb_that_is_named_is_there_and_each_step_has_somebody_who_pays_for_it() -> None:
    assert OF_VERB.keys() <= library().verbs
    named = {step for patterns in PATTERNS.values() for step, _ in patterns} | set(OF_VERB.values()) | {"frame", "withdrawn"}
    assert set(ROWS) <= named
