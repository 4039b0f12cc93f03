"""The stream processor: one folder per step (pure modules beside a thin Faust agent)."""
