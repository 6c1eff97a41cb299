"""What is read: a plain class, which the cache keeps as it is."""

from dataclasses import dataclass

__all__ = ["PLANETS", "Planet"]


@dataclass(frozen=True, slots=True)
class Planet:
    """
    A planet of the sun.

    Attributes:
        radius: At the equator, in kilometres.
        moons: How many are known.
    """

    name: str
    radius: float
    moons: int


PLANETS = (
    Planet("Mercury", 2439.7, 0),
    Planet("Venus", 6051.8, 0),
    Planet("Earth", 6378.1, 1),
    Planet("Mars", 3396.2, 2),
    Planet("Jupiter", 71492.0, 95),
    Planet("Saturn", 60268.0, 146),
    Planet("Uranus", 25559.0, 27),
    Planet("Neptune", 24764.0, 14),
)
