"""What the engine promises in numbers, measured: `python -m bench NAME`, one table each, on the machine at hand."""
