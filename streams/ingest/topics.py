"""Topics of touches that came without one, by the rules of the journey definition."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from streams.definition.model import TopicRule

LONGEST: Final = (
    2_000  # characters of a text that are looked at: what comes from outside may be of any length
)
_REMEMBERED: Final = 4_096  # pages: a rule takes 3 µs to say no, and most touches are of pages seen before

Told = tuple[str, ...]  # texts of one field


class Topics:
    """The rules, ready to be asked for every touch.

    >>> topics = Topics([TopicRule("price", url="/prices?/"), TopicRule("delivery", search="lead ?time")])
    >>> topics.of({"url": "https://acme.nl/Prices/2025"}), topics.of({"search_terms": ["pump", "Leadtime"]})
    ('price', 'delivery')
    """

    def __init__(self, rules: Iterable[TopicRule]) -> None:
        self._rules = [
            (rule.topic, [(n, re.compile(p, re.IGNORECASE)) for n, p in enumerate(patterns) if p])
            for rule in rules
            if any(patterns := (rule.url, rule.title, rule.search))
        ]
        self._first = lru_cache(_REMEMBERED)(self._find)

    def of(self, content: Mapping[str, Any]) -> str:
        """The topic of the first rule that fits this content; empty: none does."""
        if not self._rules:
            return ""
        url, title = content.get("url", "")[:LONGEST], content.get("title", "")[:LONGEST]
        return self._first(
            (url,), (title,), tuple(term[:LONGEST] for term in content.get("search_terms", ()))
        )

    def _find(self, *told: Told) -> str:
        for topic, patterns in self._rules:
            if all(any(map(pattern.search, told[field])) for field, pattern in patterns):
                return topic
        return ""
