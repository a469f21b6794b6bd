"""Reading the calls: which rows count, and how near the reckoned hour of a call is to the true one."""

import csv
import gzip
import io
from pathlib import Path
from statistics import median

import pytest

from bench.calls import LONGEST_OUT_MIN, NAME, SHORTEST_OUT_MIN, NoCalls, calls_in, code, find, read, rows_of, timed, usual_out
from tests.bench.table import days, line, row, text


def table(*lines: dict[str, str]) -> "csv.DictReader[str]":
    return csv.DictReader(io.StringIO(text(lines)))


def test_a_row_is_read_with_its_number_within_the_day_and_the_minute_at_which_the_unit_was_free() -> None:
    (found,) = rows_of(table(line()))
    assert (found.number, found.unit, found.kind, found.free_min, found.delay_min) == (42, "M36", "medical_incident", 200.5, 4.217)


def test_a_unit_that_was_free_after_midnight_counts_on() -> None:
    (found,) = rows_of(table(line(available_at_local="2010-12-02T00:10:00")))
    assert found.free_min == 1_450


@pytest.mark.parametrize("changes", [{"available_at_local": ""}, {"delay_min": ""}, {"delay_min": "1844.1"}])
def test_a_row_without_its_times_or_with_a_slip_in_them_is_left_out(changes: dict[str, str]) -> None:
    assert [found.unit for found in rows_of(table(line(**changes), line(unit_id="E01")))] == ["E01"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Citizen Assist / Service Call", "citizen_assist_service_call"),
        ("Gas Leak (Natural and LP Gases)", "gas_leak_natural_and_lp_gases"),
        ("HazMat", "hazmat"),
    ],
)
def test_a_kind_of_call_becomes_a_code(name: str, expected: str) -> None:
    assert code(name) == expected


class TestWhatIsWrongIsSaid:
    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(NoCalls, match="name it with --calls"):
            find(tmp_path / "nothing.csv.gz")

    def test_no_file_in_the_folder_of_the_data_sets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISPATCH_DATA_SETS", str(tmp_path))
        with pytest.raises(NoCalls, match=NAME):
            find(None)

    def test_no_gzip(self, tmp_path: Path) -> None:
        (tmp_path / "plain.csv.gz").write_text("call_number\n")
        with pytest.raises(NoCalls, match=r"cannot be read as csv\.gz"):
            read(tmp_path / "plain.csv.gz")

    def test_another_table(self, tmp_path: Path) -> None:
        with gzip.open(tmp_path / "other.csv.gz", "wt") as out:
            out.write("call_number,city\n1,Paris\n")
        with pytest.raises(NoCalls, match="no column call_date, unit_id"):
            read(tmp_path / "other.csv.gz")

    def test_a_table_without_usable_rows(self) -> None:
        with pytest.raises(NoCalls, match="no row with both"):
            rows_of(table(line(delay_min="")))


# -- the hour of a call -----------------------------------------------------------------------------------------------


def test_the_number_of_a_days_calls_is_reckoned_from_the_highest_seen() -> None:
    assert calls_in([row(90), row(180), row(270)]) == 360


def test_how_long_a_type_is_usually_away_is_read_off_the_first_calls_after_midnight() -> None:
    rows = [row(1 + n % 3, free_min=50 + n) for n in range(11)] + [row(100, free_min=900)]
    assert usual_out(rows)["MEDIC"] == 55
    assert usual_out(rows)["TRUCK"] == 55, "a type that is seen too seldom is as the others"


def test_the_reckoned_hour_is_near_the_true_one_and_so_is_the_time_away() -> None:
    """Calls that come in at random, a tenth of them in the file: half are reckoned within a quarter of an hour."""
    rows, true = days(60, 240)
    calls = timed(rows)
    errors = [abs(call.at_min - true[call.row.day, call.row.number]) for call in calls]
    assert len(calls) == len(rows)
    assert median(errors) < 15
    assert median(call.out_min for call in calls) == pytest.approx(45, rel=0.2)


def test_no_call_comes_in_after_its_unit_arrived_nor_before_midnight_and_no_time_away_is_absurd() -> None:
    rows, _ = days(20, 240)
    for call in timed([*rows, row(5, free_min=3.0, delay_min=2.5), row(200, free_min=4_000)]):
        assert 0 <= call.at_min < 1_440
        assert SHORTEST_OUT_MIN <= call.out_min <= LONGEST_OUT_MIN
        assert call.at_min <= call.row.free_min - call.row.delay_min or call.row.free_min > 1_440
