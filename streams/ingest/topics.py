"""Topics of touches that came without one, by the rules of the journey definition."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from streams.definition.model import TopicRule


class Topics:
    """The rules, ready to be asked for every touch.

    >>> topics = Topics([TopicRule("price", url="/prices?/"), TopicRule("delivery", search="lead ?time")])
    >>> topics.of({"url": "https://acme.nl/Prices/2025"}), topics.of({"search_terms": ["pump", "Leadtime"]})
    ('price', 'delivery')
    """

    def __init__(self, rules: Iterable[TopicRule]) -> None:
        self._rules = [
            (rule.topic, [(field, re.compile(pattern, re.IGNORECASE)) for field, pattern in patterns.items()])
            for rule in rules
            if (patterns := _patterns(rule))
        ]

    def of(self, content: Mapping[str, Any]) -> str:
        """The topic of the first rule that fits this content; empty: none does."""
        for topic, patterns in self._rules:
            if all(_found(pattern, content.get(field)) for field, pattern in patterns):
                return topic
        return ""


def _patterns(rule: TopicRule) -> dict[str, str]:
    told = {"url": rule.url, "title": rule.title, "search_terms": rule.search}
    return {field: pattern for field, pattern in told.items() if pattern}


def _found(pattern: re.Pattern[str], told: Any) -> bool:
    if isinstance(told, list):
        return any(pattern.search(term) for term in told)
    return bool(told) and pattern.search(told) is not None
