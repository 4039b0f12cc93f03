"""What marketing can change: stages, points, roles, hand-offs, shelf lives, actions (`journeys.toml`)."""

from streams.definition.load import DefinitionError, default, load, of
from streams.definition.model import Definition

__all__ = ["Definition", "DefinitionError", "default", "load", "of"]
