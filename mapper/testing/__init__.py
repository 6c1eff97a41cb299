"""
For tests: gateways that record or fail on purpose, and the conformance suite for gateways of one's own.
"""

import mapper.testing.conformance as conformance
from mapper.testing.faulty import FaultyGateway
from mapper.testing.recording import RecordingGateway

__all__ = ["FaultyGateway", "RecordingGateway", "conformance"]
