"""The public answer to a privacy request (JSON on `privacy-results`)."""

import msgspec

from schemas.events import SCHEMA_VERSION


class PrivacyResult(msgspec.Struct):
    """What a request came to. Of one request (`subject`) the highest `version` holds: evidence that arrives late
    may have more to erase.
    """

    id: str
    type: str  # privacy_result
    tenant: str
    subject: str  # event_id of the request
    occurred_at: str  # its time: everything up to then is meant
    emitted_at: str
    version: tuple[int, int, int]
    request: str  # erase, export
    result: str  # done; not_found: nothing is known of it, the request is kept
    counts: dict[str, int]  # identifiers, devices
    contact_ids: list[str]  # that it was about
    caused_by: list[str]  # event_id of the request
    schema_version: int = SCHEMA_VERSION
