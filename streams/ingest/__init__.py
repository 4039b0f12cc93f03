"""INGEST: validates what comes from outside, one touch or one dead letter per record."""
