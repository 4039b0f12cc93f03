"""The tables: which columns their rows fill, and what there is to write into them."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from streams.core import Record

Row = tuple[Any, ...]

LINKS: Final = "identity_links"

# Columns that a row fills, in its order.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(columns.split())
    for name, columns in {
        "touchpoints": """
            tenant source event_id type type_name occurred_at digest identifier account strong weak actor rank
            channel url title topic search_terms content_id order_namespace order_id order_value currency
            return_reason promotion lines campaign_id campaign_name campaign_medium campaign_source
            contact_facts organisation_facts consent extra
            identifier_key strong_keys weak_keys event_key place""",
        "identity_map": """
            tenant identifier version span_from span_contact span_account accounts
            identifier_key span_placed places""",
        "journey_events": """
            tenant subject id type kind natural_key version occurred_at emitted_at
            account_id account_name account_keys stage journey_id
            contact_id contact_identifiers caused_by details corrects retracted definition_version
            identifier_keys caused_keys""",
        "accounts": """
            tenant account_id version kind name keys crm_account_id stage stage_since journey_id
            members touches first_seen last_seen industry employees country dense gone definition_version
            journeys anew
            roles_found roles_missing role_completeness engagement engagement_at half_life_days score_parts
            status p_active silences crossings handoffs segments
            orders revenue currency aov return_rate order_frequency order_list unconverted product_families
            owner facts interests contact_points next_question next_best_action""",
        "dead_letters": """
            generation topic partition offset at reason field error original_base64 size
            identifier_keys dated told_tenant""",
        "identity_links": "tenant link_key version a b a_key b_key source rank said_at state why",
        "assertions": "tenant event_id precedence assertion a b a_key b_key said_at said_by",
        "lead_outcomes": """
            tenant event_id precedence outcome handoff_id account_keys reason reason_code value currency
            said_at said_by""",
        "account_commands": """
            tenant event_id precedence command account_keys identifiers identifier_keys
            role owner scheme segment said_at said_by""",
        "privacy_results": """
            tenant request_id version request occurred_at result counts contact_ids emitted_at""",
        "handoff_messages": """
            tenant account_id id version type handoff_id attempt status stage score reason_codes members
            roles_missing interests assigned_to occurred_at emitted_at feedback_due corrects retracted
            definition_version""",
        "erasures": "tenant identifier_key version since until gone keeps contacts person",
        "erased_touchpoints": "tenant event_key caused_key held identifier_key dated",
        "merge_candidates": "tenant a b version a_name b_name score why gone",
    }.items()
}

# The fields of tuples in columns of `accounts`, in their order.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(fields.split())
    for name, fields in {
        "members": """
            contact_id name identifiers valid_from valid_to first_touch last_touch touches stage lag_days
            consent job_title roles engagement reachable reach status p_active steps keys""",
        "roles": "role source confidence evidence since",
        "journeys": "number opened_at closed_at closed_by stages moments last_touch",
        "stages": "stage entered_at caused_by corrected caused_keys",
        "handoffs": """
            handoff_id journey attempt at score reasons call_first status outcome outcome_reason outcome_code
            outcome_at outcome_by responded_at value currency feedback_due""",
    }.items()
}


@dataclass(frozen=True)
class Refused:
    """A record that cannot be kept; `reason` is one of schemas.deadletter.REASONS."""

    record: Record
    reason: str
    error: str


@dataclass(frozen=True)
class Block:
    """Rows for one table, each beside the record it came from."""

    rows: list[Row] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def __getitem__(self, part: slice) -> "Block":
        """Some of its rows."""
        return Block(self.rows[part], self.records[part])


@dataclass(frozen=True)
class Plan:
    """What to insert, per table, what cannot be read, and which links are erased."""

    blocks: defaultdict[str, Block] = field(default_factory=lambda: defaultdict(Block))
    refused: list[Refused] = field(default_factory=list)
    tombstones: list[int] = field(default_factory=list)  # keys of links: rows before these records are gone
