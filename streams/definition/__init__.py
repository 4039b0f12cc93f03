"""What marketing can change: stages, points, roles, hand-offs, shelf lives, actions (`journeys.toml`)."""
