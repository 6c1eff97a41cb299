"""
Schemas: what relations declare, and what a store has.

Relations go in; descriptions, differences and the statements that mend them come out.
"""

from mapper.relation import RelationInfo
from mapper.relation import info as describe
from mapper.schema.verification import Difference, verify

__all__ = ["Difference", "RelationInfo", "describe", "verify"]
