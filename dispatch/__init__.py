"""A real-time dispatcher: finds, for each booking, a professional who comes.

Files in this folder think, folders act: see ARCHITECTURE.md for the map.
"""

__version__ = "0.1.0"
