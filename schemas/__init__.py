"""What crosses a boundary: events, topics, ClickHouse tables. Imports nothing of ours."""
