"""
Wrappers: what a row has beyond its model.

A wrapper is any class with a field `model` and fields named like the columns that the model lacks, where `key` stands
for the primary key and `version` for the version column. These three are the usual ones; they nest:
`Versioned[Keyed[Post, int]]`.
"""

from datetime import datetime
from typing import Generic

from attrs import frozen
from typing_extensions import TypeVar

__all__ = ["Keyed", "Timestamped", "Versioned"]

M_co = TypeVar("M_co", covariant=True)
K_co = TypeVar("K_co", covariant=True, default=int)


@frozen
class Keyed(Generic[M_co, K_co]):
    """
    A model and the primary key of its row. Equal when both parts are.

    Attributes:
        key: The primary key; a tuple in the order of declaration where it has several columns.
        model: The model, or another wrapper around it.
    """

    key: K_co
    model: M_co


@frozen
class Timestamped(Generic[M_co]):
    """
    A model and the times of its row, from the columns `created_at` and `updated_at`. Equal when all parts are.

    Attributes:
        model: The model, or another wrapper around it.
    """

    model: M_co
    created_at: datetime
    updated_at: datetime


@frozen
class Versioned(Generic[M_co]):
    """
    A model and the version of its row, which an update or delete of that row compares. Equal when both parts are.

    Attributes:
        model: The model, or another wrapper around it.
        version: How often the row was written, from 1.
    """

    model: M_co
    version: int
