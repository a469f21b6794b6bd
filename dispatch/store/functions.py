"""The server functions: one library, put together from lua/, loaded under names that carry a hash of its text.

Names of functions are global in the server, so the hash lets two versions run side by side while processes are replaced.
Key templates (keys.py), moves (lifecycle.py), ages (habits.py), steps (matcher.py) and the clock are rendered into the text: none has a
second copy.
Source: https://valkey.io/topics/functions-intro/
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, cast

import msgpack
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from dispatch import habits
from dispatch.errors import ConfigError, Unavailable
from dispatch.lifecycle import MOVES
from dispatch.matcher import POOL, STEPS
from dispatch.model import TIERS, Urgency
from dispatch.store import keys
from dispatch.store.passing import passing

HOUSES = "K, S, MOVES, CLOCK, AGES, SHELVES, HABITS, verbs, clock, read, ledger, event, gauge, outbox, inbox, news, record, shelf, slots"
CALLS = "woken, counted, told, learned, market, instant, hand"  # of one call: see lib/news.lua
ROOMS = (
    "geometry, net, fits, find, tally, habits, keen, seats, propose, trial, visits, booking, index, pushes, rights, "
    "silence, alarm, hands, vacancy, fair, served, offers, newcomers, decisions, past"
)


@dataclass(frozen=True, slots=True)
class Clock:
    """Engine time as a function of the store's wall time: equal to it, or in a demo ``speed`` times as fast since ``base_ms``."""

    speed: float = 1.0
    base_ms: int = 0

    def engine_ms(self, wall_ms: float) -> int:
        """Engine time (ms) at a wall time (ms)."""
        return int(self.base_ms + (wall_ms - self.base_ms) * self.speed)

    def wall_seconds(self, engine_ms: float) -> float:
        """How many wall seconds a length of engine time (ms) takes."""
        return engine_ms / 1_000 / self.speed


@dataclass(frozen=True, slots=True)
class Library:
    """The text of the library, its name, and the verbs in it."""

    name: str
    text: str
    verbs: frozenset[str]

    def function(self, verb: str) -> str:
        """The server's name of a verb."""
        return f"{verb}_{self.name.rpartition('_')[2]}"


@lru_cache(maxsize=8)
def library(clock: Clock = Clock()) -> Library:
    """The library for a clock."""
    body = _body(clock)
    digest = sha1(body.encode()).hexdigest()[:12]
    verbs = _verbs()
    tail = "\n".join(
        f"redis.register_function('{verb}_{digest}', function(keys, args) return serve('{verb}', args) end)" for verb in sorted(verbs)
    )
    return Library(f"dispatch_{digest}", f"#!lua name=dispatch_{digest}\n{body}\n{tail}\n", verbs)


def _verbs() -> frozenset[str]:
    found = (line for name in sources("") for line in name[1].splitlines() if line.startswith("function verbs."))
    return frozenset(line.removeprefix("function verbs.").partition("(")[0] for line in found)


def sources(folder: str) -> list[tuple[str, str]]:
    """The Lua files of lua/ (``""``) or lua/lib (``"lib"``) as (name, text), in order of name."""
    root = files("dispatch.store") / "lua"
    found = (root / folder if folder else root).iterdir()
    return sorted((entry.name, entry.read_text()) for entry in found if entry.name.endswith(".lua"))


def _body(clock: Clock) -> str:
    locals_ = f"local call, {CALLS}\nlocal {HOUSES} = {_tables(HOUSES)}\nlocal {ROOMS} = {_tables(ROOMS)}"
    clock_ = f"CLOCK = {{ base = {clock.base_ms * 1_000}, speed = {clock.speed!r} }}"
    shelves = f"SHELVES = {{ count = {len(TIERS) + 1}, steps = {STEPS} }}"
    constants = f"{clock_}\n{shelves}\nAGES = {{ {', '.join(map(str, habits.AGES_MS))} }}\n{_habits()}\nlocal null, reply"
    scoped = [f"do\n{text}\nend" for _, text in (*sources("lib"), *sources(""))]
    return "\n".join((locals_, constants, keys.lua(), _moves(), *scoped, _SERVE))


def _tables(names: str) -> str:
    return ", ".join("{}" for _ in names.split(","))


def _moves() -> str:
    rows = (
        f"{state.value} = {{ {', '.join(f'{move.value} = {chr(39)}{to.value}{chr(39)}' for move, to in row.items())} }}"
        for state, row in MOVES.items()
    )
    return f"MOVES = {{ {', '.join(rows)} }}"


def _habits() -> str:
    """What the functions need of habits.py: numbers, and what is assumed of each class before anything was seen."""
    numbers = {
        "keen_weight": habits.KEEN_WEIGHT, "slow_weight": habits.SLOW_WEIGHT, "fade": habits.FADE_MS, "least_keen": habits.LEAST_KEEN,
        "most_slow": habits.MOST_SLOW, "refusals": habits.REFUSALS, "pool": POOL,
    }  # fmt: skip
    rows = [f"{name} = {value!r}" for name, value in numbers.items()]
    classes = {urgency.value: habits.accepting(urgency, habits.NONE_YET) for urgency in Urgency}
    rows.append(f"usual = {{ {', '.join(f'{name} = {one.usual_ms!r}' for name, one in classes.items())} }}")
    rates = ", ".join(f"{name} = {{ {', '.join(map(repr, one.rates))} }}" for name, one in classes.items())
    return f"HABITS = {{ {', '.join(rows)}, rates = {{ {rates} }} }}"


_SERVE = """
-- Lua's collector, in steps so small that no call waits for it (by itself it does half of its round in one or two calls).
local function unhurried() collectgarbage('setstepmul', 20) end

local function serve(verb, args)
  if not call then pcall(unhurried) end
  call, null = redis.call, cjson.null -- neither is there yet while the library loads
  local a = cmsgpack.unpack(args[1])
  news.begin(a)
  local answer = verbs[verb](a.m, a)
  news.flush(a.m)
  return answer
end
"""


async def install(redis: "Redis", lib: Library) -> None:
    """Loads the library unless it is there. Raises ConfigError when the user may not, Unavailable when the store is down."""
    try:
        await redis.function_load(lib.text)
    except NoPermissionError:
        await _probe(redis, lib)
    except ResponseError as error:
        if "already exists" in str(error):
            return
        if passing(error):
            raise Unavailable(f"the store does not answer: {error}") from error
        raise ConfigError(f"cannot load the server functions: {error}; run `dispatch install` with an administrator's URL") from error
    except RedisError as error:
        raise Unavailable(f"the store does not answer: {error}") from error


async def _probe(redis: "Redis", lib: Library) -> None:
    """For a user who may call functions but not load them: they must be there, so one that changes nothing is called."""
    nothing = msgpack.packb({"m": "-", "list": []})
    try:
        await cast("Awaitable[bytes]", redis.fcall(lib.function("receipt"), 1, keys.key("market", "-"), nothing))
    except ResponseError as error:
        if passing(error):
            raise Unavailable(f"the store does not answer: {error}") from error
        raise ConfigError(f"this version's server functions are not loaded ({error}); an administrator runs `dispatch install`") from None


async def prune(redis: "Redis", keep: Library) -> list[str]:
    """Deletes the other versions of the library; returns their names. For `dispatch install --prune`, once no process uses them."""
    loaded: Any = await redis.function_list("dispatch_*")
    names = [name for name in map(_name_of, loaded) if name != keep.name]
    for name in names:
        await redis.function_delete(name)
    return names


def _name_of(entry: Any) -> str:
    flat = dict(zip(entry[::2], entry[1::2], strict=True)) if isinstance(entry, list) else entry
    return str(flat[b"library_name"].decode())
