"""What can be booked in the demo's city: trades and services as a marketplace of home services would list them.

Minutes and prices are ordinary Paris ones; ``demand`` says how many of 100 bookings ask for the service (our own guess, no statistics).
"""

from dataclasses import dataclass

from dispatch.client.bookings import Catalogue, Names, Service, Trade


@dataclass(frozen=True, slots=True)
class Offer:
    """A service as the demo knows it: what the catalogue says, and how it sells."""

    trade: str
    code: str
    fr: str
    en: str
    minutes: int
    price_cents: int
    demand: float


TRADES = {
    "hair": ("Coiffure", "Hair"),
    "beauty": ("Esthétique", "Beauty"),
    "massage": ("Massage", "Massage"),
    "cleaning": ("Ménage", "Cleaning"),
    "coaching": ("Coaching sportif", "Personal training"),
    "repairs": ("Bricolage", "Repairs"),
}

OFFERS = (
    Offer("hair", "haircut_women", "Coupe femme", "Women's haircut", 60, 5_500, 11),
    Offer("hair", "haircut_men", "Coupe homme", "Men's haircut", 45, 3_500, 9),
    Offer("hair", "haircut_child", "Coupe enfant", "Child's haircut", 30, 2_500, 4),
    Offer("hair", "blow_dry", "Brushing", "Blow-dry", 45, 4_000, 7),
    Offer("hair", "colour", "Coloration", "Colour", 120, 9_000, 4),
    Offer("beauty", "manicure", "Manucure", "Manicure", 45, 3_500, 6),
    Offer("beauty", "pedicure", "Beauté des pieds", "Pedicure", 60, 4_500, 3),
    Offer("beauty", "facial", "Soin du visage", "Facial", 60, 6_500, 3),
    Offer("beauty", "make_up", "Maquillage", "Make-up", 60, 7_000, 2),
    Offer("massage", "massage_relaxing", "Massage relaxant", "Relaxing massage", 60, 7_900, 9),
    Offer("massage", "massage_deep", "Massage sportif", "Deep tissue massage", 60, 8_900, 5),
    Offer("massage", "massage_prenatal", "Massage prénatal", "Prenatal massage", 60, 8_900, 2),
    Offer("massage", "massage_duo", "Massage en duo", "Massage for two", 90, 15_900, 1),
    Offer("cleaning", "cleaning_2h", "Ménage 2 heures", "Cleaning, two hours", 120, 5_800, 13),
    Offer("cleaning", "cleaning_4h", "Grand ménage", "Deep cleaning, four hours", 240, 11_600, 5),
    Offer("cleaning", "ironing", "Repassage", "Ironing", 60, 2_900, 5),
    Offer("cleaning", "windows", "Nettoyage des vitres", "Window cleaning", 90, 5_500, 2),
    Offer("coaching", "training", "Séance de sport", "Training session", 60, 6_000, 3),
    Offer("coaching", "yoga", "Cours de yoga", "Yoga class", 75, 6_500, 2),
    Offer("repairs", "assembly", "Montage de meubles", "Furniture assembly", 120, 8_000, 2),
    Offer("repairs", "handyman", "Petits travaux", "Odd jobs", 90, 7_000, 2),
)
BY_CODE = {offer.code: offer for offer in OFFERS}


def of_trade(trade: str) -> tuple[Offer, ...]:
    """The services of one trade."""
    return tuple(offer for offer in OFFERS if offer.trade == trade)


def demand(trade: str) -> float:
    """How many of 100 bookings belong to a trade."""
    return sum(offer.demand for offer in of_trade(trade))


def catalogue() -> Catalogue:
    """The catalogue as the engine takes it."""
    return Catalogue(
        trades=tuple(Trade(code=code, name=Names(fr=fr, en=en)) for code, (fr, en) in TRADES.items()),
        services=tuple(Service(code=o.code, trade=o.trade, name=Names(fr=o.fr, en=o.en), minutes=o.minutes) for o in OFFERS),
    )
