"""A city without an engine's processes: a virtual clock that drives the decisions of dispatch/ (waves, order, moves) themselves.

world.py   who asks and who answers how, drawn before any policy acts    offers.py    the same from real offers
play.py    one policy played through a world                            figures.py   what came of it, in numbers
frontier.py   families of policies over their speeds, and what they cost at equal late accepts            picture.py   that as SVG
"""
