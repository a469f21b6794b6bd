"""What Locust loads: the users, the options, and how a run begins, comes to rest, and is judged."""

import logging
import sys
import time
from typing import Any

import gevent
import requests
from locust import LoadTestShape, events
from locust.runners import MasterRunner, WorkerRunner

from loadtests import market, verdict
from loadtests.bookings import BookingUser
from loadtests.current import RUN
from loadtests.devices import DeviceUser
from loadtests.scenarios import SCENARIOS

__all__ = ["BookingUser", "DeviceUser"]

log = logging.getLogger("dispatch.load")
NUMBERS = (
    ("--devices", 500, int, "devices (and providers) in all"),
    ("--booking-users", 20, int, "users that open bookings"),
    ("--booking-rate", 20.0, float, "bookings a second of all users together, at the scenario's peak"),
    ("--seconds", 60.0, float, "how long the load lasts; afterwards it rests and judges"),
    ("--rest", 6.0, float, "seconds of rest before the judgement"),
    ("--haste", 4_680.0, float, "how many times faster than the real requests providers answer"),
    ("--drops-per-minute", 1.0, float, "how often a minute each device loses its connection"),
    ("--limit-open-ms", 500.0, float, "POST bookings, 99 %%"),
    ("--limit-push-ms", 1_000.0, float, "from a booking's call to its first devices, 99 %%"),
    ("--limit-result-ms", 500.0, float, "from accept to its result, 99 %%"),
    ("--limit-withdrawn-ms", 1_000.0, float, "from accept to the others being told, 99 %%"),
    ("--limit-live-ms", 1_000.0, float, "from a broken connection to knowing everything again, 99 %%"),
    ("--limit-storm-ms", 15_000.0, float, "from a storm that cuts everybody off to knowing everything again, 99 %%"),
    ("--max-fail-ratio", 0.01, float, "share of calls that may fail"),
)


@events.init_command_line_parser.add_listener
def options(parser: Any) -> None:
    """Our options beside Locust's own; each may be given as DISPATCH_LOAD_... too."""
    parser.add_argument(
        "--device-url", env_var="DISPATCH_DEVICE_URL", default="", help="ws://.../v1/device; default: the port above --host's"
    )
    parser.add_argument("--key", env_var="DISPATCH_KEY", default="dev-key", help="key with the roles booking and ops", is_secret=True)
    parser.add_argument("--market", env_var="DISPATCH_MARKET", default="load", help="market of the test; it is created")
    words = "; ".join(f"{name}: {scenario.text}" for name, scenario in SCENARIOS.items())
    parser.add_argument("--scenario", env_var="DISPATCH_LOAD_SCENARIO", default="steady", choices=list(SCENARIOS), help=words)
    for name, default, kind, text in NUMBERS:
        variable = "DISPATCH_LOAD_" + name.strip("-").upper().replace("-", "_")
        parser.add_argument(name, env_var=variable, default=default, type=kind, help=f"{text} ({default:g})")


class Crowd(LoadTestShape):
    """All users from the beginning, for ``--seconds``: the scenario moves rates and connections, not the number of users."""

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None
        chosen = self.runner.environment.parsed_options
        if RUN.elapsed_s() > chosen.seconds:
            return None
        return chosen.devices + chosen.booking_users, max(100.0, chosen.devices / 5)


@events.init.add_listener
def begin_process(environment: Any, runner: Any, **_: Any) -> None:
    """Each process: what it reports, and what it does when told to rest."""
    for kind in environment.user_classes:  # not our name for it: Locust loads every file of the folder once more under its own
        if kind.__name__ == DeviceUser.__name__:
            kind.fixed_count = environment.parsed_options.devices
    runner.register_message("rest", rest)
    environment.events.report_to_master.add_listener(lambda client_id, data: data.update(dispatch=_report()))
    environment.events.worker_report.add_listener(lambda client_id, data: RUN.ledger.add(data["dispatch"]))


@events.test_start.add_listener
def set_up(environment: Any, **_: Any) -> None:
    """The market once, then each process its own providers."""
    runner, chosen = environment.runner, environment.parsed_options
    RUN.begin(max(0, getattr(runner, "worker_index", 0)))
    with requests.Session() as session:
        session.trust_env = False
        session.headers["authorization"] = f"Bearer {chosen.key}"
        root = f"{environment.host}/v1/markets/{chosen.market}"
        if not isinstance(runner, WorkerRunner):
            session.put(root, json=market.SETTINGS, timeout=30).raise_for_status()
            session.put(f"{root}/catalogue", json=market.catalogue(), timeout=30).raise_for_status()
        if not isinstance(runner, MasterRunner):
            _import(session, root, chosen.devices)
    RUN.begin(RUN.worker)  # the load begins now


def _import(session: requests.Session, root: str, count: int) -> None:
    answer = session.post(f"{root}/providers/import", data=b"\n".join(market.providers(RUN.worker, count)), timeout=120)
    answer.raise_for_status()
    if refused := answer.json()["refused"]:
        raise RuntimeError(f"{len(refused)} providers were refused: {refused[0]}")


def rest(environment: Any, msg: Any, **_: Any) -> None:
    """No new bookings and no new answers from now on."""
    RUN.resting = True


@events.test_stopping.add_listener
def judge(environment: Any, **_: Any) -> None:
    """The one process that knows everything lets the others rest, reads the bookings back, and judges. Devices are still connected."""
    runner, chosen = environment.runner, environment.parsed_options
    if isinstance(runner, WorkerRunner) or RUN.resting:
        return
    RUN.resting = True
    runner.send_message("rest")
    gevent.sleep(chosen.rest)
    RUN.measure_cpu()
    ledger = RUN.ledger
    bookings = verdict.read_back(environment.host, chosen, ledger.opened)
    now_ms = time.time_ns() // 1_000_000 + ledger.offset_ms
    findings = [*verdict.promises(ledger, bookings, now_ms), *verdict.limits(environment.stats, chosen), *verdict.suffered(ledger, chosen)]
    environment.process_exit_code = 0 if all(finding.fine for finding in findings) else 1
    _say(ledger, bookings, findings)


def _say(ledger: Any, bookings: dict[str, Any], findings: list[verdict.Finding]) -> None:
    lines = [
        "",
        f"{len(ledger.opened)} bookings opened, {len(bookings)} read back, {len(ledger.winners())} won, {len(ledger.online)} devices",
    ]
    lines += [f"     generator: {name} used {share:.0%} of a core" for name, share in ledger.cpu.items()]
    if any(share > 0.9 for share in ledger.cpu.values()):
        lines.append("     WARNING: a generator process was short of CPU: its times are too long, use --processes")
    lines += [str(finding) for finding in findings]
    sys.stdout.write("\n".join([*lines, ""]) + "\n")
    sys.stdout.flush()


def _report() -> dict[str, Any]:
    RUN.measure_cpu()
    return RUN.ledger.take()
