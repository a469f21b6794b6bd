"""Folded stacks, the shares of steps, and the picture drawn from them."""

from xml.etree import ElementTree

from bench.flame import Stacks, folded, from_perf, shares, svg

RAW = ["main (a.py:1);read (b.py:7) 3", "main (a.py:2);read (b.py:9) 2", "main (a.py:2);write (c.py:1) 5", "no count here", ""]
PERF = """\
valkey 12 34.5:  1 cycles:
\t    7f00 malloc+0x10 (/lib/libc.so.6)
\t    7f01 call+0x2 (/bin/valkey-server)
\t    7f02 [unknown] (/bin/valkey-server)
\t    7f03 [unknown] (/bin/valkey-server)

valkey 12 34.6:  1 cycles:
\t    7f01 call+0x9 (/bin/valkey-server)
"""
STEPS = (("reading", r"^read"), ("all of main", r"^main"))


def test_lines_of_one_function_count_as_one_frame() -> None:
    assert folded(RAW) == {("main (a.py)", "read (b.py)"): 5, ("main (a.py)", "write (c.py)"): 5}


def test_what_perf_says_is_turned_over_and_unknown_frames_of_one_file_are_one() -> None:
    assert from_perf(PERF.splitlines()) == {("[valkey-server]", "call", "malloc"): 1, ("call",): 1}


def test_the_innermost_frame_that_belongs_to_a_step_says_which() -> None:
    stacks = Stacks({**folded(RAW), ("other (d.py)",): 10})
    assert shares(stacks, STEPS, "rest") == {"rest": 0.5, "reading": 0.25, "all of main": 0.25}


def test_nothing_seen_is_no_share() -> None:
    assert shares(Stacks(), STEPS, "rest") == {}


def test_the_picture_is_an_svg_in_which_a_frame_is_as_wide_as_its_share() -> None:
    picture = ElementTree.fromstring(svg(folded(RAW), "a <process> & its time"))
    widths = {group[0].text: float(group[1].get("width", "")) for group in picture if len(group) >= 2}
    assert widths["a <process> & its time: 10 samples, 100.0%"] == 1_400
    assert widths["read (b.py): 5 samples, 50.0%"] == widths["write (c.py): 5 samples, 50.0%"] == 700
