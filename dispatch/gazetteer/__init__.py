"""The gazetteer: which commune, arrondissement or area of a market's own holds a place.

`Gazetteer.load` is France whole, from the data sets; `Gazetteer.from_features` is what a market brings itself (GeoJSON).
"""

from dispatch.gazetteer.areas import Area, Gazetteer

__all__ = ["Area", "Gazetteer"]
