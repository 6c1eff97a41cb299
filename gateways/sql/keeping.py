"""
Whether a gateway keeps the values of a relation's columns at all.

Relations and a gateway's codecs go in; nothing comes out, or the refusal of a storage type that only another gateway
has.
"""

from collections.abc import Iterable
from typing import Any

from mapper.relation import info
from mapper.types import Codecs

__all__ = ["require_kept"]


def require_kept(relations: Iterable[Any], codecs: Codecs) -> None:
    """
    Refuse relations with a column that cannot be kept.

    Raises:
        Unsupported: The codecs do not know a column's storage type.
    """
    for relation in relations:
        for column in info(relation).columns:
            codecs.encoder(column.type)
