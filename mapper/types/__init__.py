"""
Storage types: which Python values a column takes, apart from how any one store keeps them.

Annotations go in, frozen values of `StorageType` come out; they check values for every gateway alike. What a gateway
does with a checked value is in its `Codecs`.
"""

from mapper.types.codecs import Codecs, Decoder, Encoder
from mapper.types.composites import Codec, Enumeration, Json, List
from mapper.types.documents import document_decoder, document_encoder, encode_document
from mapper.types.inference import infer, narrow
from mapper.types.moments import Date, Interval, Time, Timestamp, TimestampTz
from mapper.types.scalars import Boolean, Bytes, Char, Float, Int, Integer, Numeric, Text, Uuid, Varchar
from mapper.types.storage import Misfit, StorageType, UnknownType
from mapper.types.widening import wider

__all__ = [
    "Boolean",
    "Bytes",
    "Char",
    "Codec",
    "Codecs",
    "Date",
    "Decoder",
    "Encoder",
    "Enumeration",
    "Float",
    "Int",
    "Integer",
    "Interval",
    "Json",
    "List",
    "Misfit",
    "Numeric",
    "StorageType",
    "Text",
    "Time",
    "Timestamp",
    "TimestampTz",
    "UnknownType",
    "Uuid",
    "Varchar",
    "document_decoder",
    "document_encoder",
    "encode_document",
    "infer",
    "narrow",
    "wider",
]
