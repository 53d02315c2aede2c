"""MovieLens 100k as `scripts/setup data` leaves it: its ratings and its items."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[2] / ".tools/data/ml-100k"


class Rating(NamedTuple):
    """One rating; the value is 1 to 5, the time in seconds since the epoch as in the data set."""

    user: str
    item: str
    value: int
    timestamp: int


class Item(NamedTuple):
    """One film; the year is None where the data set does not know it."""

    item: str
    title: str
    year: int | None
    genres: list[str]


def ratings(folder: Path = FOLDER) -> list[Rating]:
    """Reads all ratings, in order of time, then user, then item."""
    rows = [Rating(user, item, int(float(value)), int(float(at)))
            for user, item, value, at in _rows(folder / "ml-100k.inter")]
    return sorted(rows, key=lambda rating: (rating.timestamp, int(rating.user), int(rating.item)))


def items(folder: Path = FOLDER) -> dict[str, Item]:
    """Reads all items by their ids."""
    return {item: Item(item, title, int(year) if year.isdigit() else None, genres.split())
            for item, title, year, genres in _rows(folder / "ml-100k.item")}


def _rows(path: Path):
    with path.open(encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            yield line.rstrip("\n").split("\t")
