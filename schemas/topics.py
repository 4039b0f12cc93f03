"""Every topic once. No topic name appears anywhere else in the code."""

from dataclasses import dataclass

DAY_MS = 86_400_000
LARGEST_BYTES = 17 << 20  # of one produce batch: the profile of an account with some 50,000 people fits


@dataclass(frozen=True)
class Topic:
    """A topic: its name, what its key is, whether only the last value per key is kept, and for how long."""

    name: str
    key: str
    compacted: bool = False
    retention_ms: int = -1  # -1: without limit
    public: bool = True

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings for Apache Kafka."""
        # Only closed segments are deleted or compacted: what is erased goes a day after its time, not a week.
        common = {"max.message.bytes": str(LARGEST_BYTES), "segment.ms": str(DAY_MS)}
        if self.compacted:
            # A session that finds a stranger's row rewrites it at its next commit, long before this lag ends.
            return {"cleanup.policy": "compact", "min.compaction.lag.ms": "600000", **common}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms), **common}


TOUCHPOINTS = Topic("touchpoints", "any", retention_ms=30 * DAY_MS)
ASSERTIONS = Topic("identity-assertions", "any", retention_ms=30 * DAY_MS)
PRIVACY = Topic("privacy-requests", "any", retention_ms=30 * DAY_MS)
OUTCOMES = Topic("lead-outcomes", "any", retention_ms=30 * DAY_MS)
COMMANDS = Topic("account-commands", "any", retention_ms=30 * DAY_MS)
CLOCK = Topic("journeys.clock", "none: one message a partition", retention_ms=DAY_MS, public=False)
# What tells of people ends after a month, so that a person who is erased is gone from the log as well; what
# is kept for longer is in ClickHouse, from which history is recomputed.
VALID = Topic("touchpoints.valid", "identifier", retention_ms=30 * DAY_MS, public=False)
DEAD = Topic("touchpoints.dead-letter", "none", retention_ms=30 * DAY_MS)
LINKS = Topic("identity-links", "tenant", retention_ms=7 * DAY_MS, public=False)
MAP = Topic("identity-map", "identifier", compacted=True)
EVIDENCE = Topic("identity-evidence", "link", compacted=True, public=False)
SNAPSHOTS = Topic("fragment-snapshots", "account", retention_ms=7 * DAY_MS, public=False)
RECORDS = Topic("account-records", "account", retention_ms=7 * DAY_MS, public=False)
EVENTS = Topic("journey-events", "account", retention_ms=30 * DAY_MS)
HANDOFFS = Topic("lead-handoffs", "account", retention_ms=30 * DAY_MS)
PROFILES = Topic("account-profiles", "account", compacted=True)
RESULTS = Topic("privacy-results", "request", retention_ms=365 * DAY_MS)

INPUTS = (TOUCHPOINTS, ASSERTIONS, PRIVACY, OUTCOMES, COMMANDS)  # what comes from outside
ALL = (
    *INPUTS,
    CLOCK,
    VALID,
    DEAD,
    LINKS,
    MAP,
    EVIDENCE,
    SNAPSHOTS,
    RECORDS,
    EVENTS,
    HANDOFFS,
    PROFILES,
    RESULTS,
)


def changelog(group: str, step: str) -> Topic:
    """The changelog of a step's keyed state, under the name of the consumer group.

    >>> changelog("journeys", "fragments").name
    'journeys-fragments-changelog'
    """
    return Topic(f"{group}-{step}-changelog", "row", compacted=True, public=False)
