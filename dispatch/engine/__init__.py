"""The engine: what happens to a request (desk), and what happens as time passes (worker)."""
