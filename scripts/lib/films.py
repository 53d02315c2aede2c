"""MovieLens 100k as scripts/setup data leaves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Film:
    item: str
    name: str
    year: int | None
    genres: list

    @property
    def title(self):
        return f"{self.name} ({self.year})" if self.year else self.name


def _rows(path):
    with open(path, encoding="utf-8") as file:
        next(file)
        for line in file:
            yield line.rstrip("\n").split("\t")


def read_films(path):
    """Returns the films by id."""
    films = {}
    for item, name, year, genres in _rows(path):
        year = int(float(year)) if year.replace(".", "", 1).isdigit() else None
        films[item] = Film(item, article_first(name), year, genres.split())
    return films


def read_ratings(path):
    """Returns (user, item, stars, seconds since the epoch), in the order of the file."""
    return [(user, item, float(stars), int(float(at))) for user, item, stars, at in _rows(path)]


def article_first(name):
    """`Empire Strikes Back, The` as people say it."""
    head, comma, article = name.rpartition(", ")
    return f"{article} {head}" if comma and article in {"The", "A", "An", "La", "Le", "Il", "Das", "Der"} else head + comma + article
