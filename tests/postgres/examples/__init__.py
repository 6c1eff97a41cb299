"""An example, at least, of each operator and function that only PostgreSQL has."""

from typing import Final

from tests.postgres.examples.aggregates import AGGREGATES
from tests.postgres.examples.arrays import ARRAYS
from tests.postgres.examples.documents import DOCUMENTS
from tests.postgres.examples.example import Example, compiled
from tests.postgres.examples.others import OTHERS
from tests.postgres.examples.ranges import RANGES
from tests.postgres.examples.texts import TEXTS

__all__ = ["EXAMPLES", "Example", "compiled"]

EXAMPLES: Final[list[Example]] = [*AGGREGATES, *ARRAYS, *DOCUMENTS, *OTHERS, *RANGES, *TEXTS]
