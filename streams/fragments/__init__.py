"""FRAGMENTS: the touch history of each identifier; what it states to IDENTITY and sends to JOURNEYS."""
