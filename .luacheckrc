-- The server functions run inside Valkey or Redis: Lua 5.1 and what the server adds. From the root: luacheck dispatch/store/lua
std = "lua51"
max_line_length = 140
max_cyclomatic_complexity = 20

read_globals = {
  "redis", "server", "cjson", "cmsgpack", "struct", "bit", -- of the server
  "call", "null", "reply", "K", "S", "CLOCK", "MOVES", "AGES", "SHELVES", "HABITS", -- of the prelude, and rendered from Python
}

-- Tables of the prelude, one a file or paragraph of lua/lib; `verbs` holds the functions that are registered.
globals = {
  "alarm", "booking", "clock", "event", "find", "fits", "gauge", "geometry", "habits", "inbox", "index", "ledger", "net", "news", "outbox", "propose",
  "pushes", "read", "record", "rights", "seats", "shelf", "silence", "slots", "tally", "trial", "verbs", "visits", "woken", "counted", "told", "learned",
  "market", "instant", "hand", "hands", "vacancy", "fair", "served", "offers",
  "newcomers", "decisions", "past", "keen",
}

-- They are defined where the library is put together, or in a file of their own.
files["dispatch/store/lua/lib"] = { globals = { "S", "reply" } }
