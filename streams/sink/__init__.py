"""SINK: what an analyst can ask about, from its topics into ClickHouse."""
