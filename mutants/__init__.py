"""Seeded faults: rule breaks planted one at a time in a copy of the engine, each of which some test must notice (`python -m mutants`)."""
