"""A definition in a few lines."""

from collections.abc import Mapping

from streams.definition.model import Definition


def main_values(rules: Definition) -> dict[str, str]:
    """What marketing asks first, each in words.

    >>> from streams.definition import default
    >>> main_values(default())["engagement"]
    'at most 40 points of one person a day, halved every 14 days'
    """
    score, handoff, silence, orders = rules.score, rules.handoff, rules.silence, rules.orders
    required = [
        f"{stage.name}: {', '.join(group[0] for group in rules.roles.required[stage.name])}"
        for stage in rules.stages
        if stage.name in rules.roles.required
    ]
    asked = sum(bool(fact.question) for fact in rules.facts)
    return {
        "stages": " → ".join(stage.name for stage in rules.stages),
        "moments": ", ".join(moment.name for moment in rules.moments),
        "journey ends": f"after {rules.journey.gap_days} days without a touch",
        "topics": f"{len(rules.topics)} rules",
        "no shared step": ", ".join(rules.crossings.ignore),
        "roles required": "; ".join(required),
        "role weights": _values(rules.roles.weights),
        "engagement": f"at most {score.most_a_day:g} points of one person a day, "
        f"halved every {score.half_life_days} days",
        "points": _values(score.points),
        "hand-off": f"{', '.join(handoff.requests)}; or {handoff.stage} with engagement "
        f"{handoff.engagement:g}; feedback in {handoff.feedback_days} days",
        "silence": f"quiet below {silence.quiet:g}, silent below {silence.silent:g}, "
        f"unknown with fewer than {silence.active_days} active days",
        "facts": f"{len(rules.facts)}, of which {asked} are asked",
        "actions": f"{len(rules.actions)} rules",
        "orders": f"in {orders.currency}; rates: {_values(orders.rates) or 'none'}",
        "time zones": ", ".join(f"{tenant} {zone}" for tenant, zone in rules.zones.items()) or "UTC",
    }


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())
