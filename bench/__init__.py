"""Measurements: `python -m bench NAME` prints one table, each against a baseline or a peer in the same run."""
