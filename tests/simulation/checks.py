"""What must hold at the end of a run: by itself, and as the naive oracle says."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas import keys, topics
from schemas.internal import (
    Asserted,
    Command,
    Employed,
    Link,
    Named,
    Outcome,
    Owner,
    Owns,
    Profiling,
    Request,
    Seen,
    Tick,
    Told,
    Touch,
)
from streams.identity.contacts import contact_id
from tests.simulation import checks_sales, people, topology
from tests.simulation.clusters import Group
from tests.simulation.compare import differences, fold
from tests.simulation.oracle import Tenant
from tests.simulation.people import Line, erased, lost
from tests.simulation.said import Said
from tests.simulation.seen import (
    POISON,
    Event,
    Run,
    answers,
    events,
    in_short,
    journey_events,
    maps,
    places,
    read,
    snapshots,
)
from tests.simulation.world import World

_HASHES = re.compile(rb"[0-9a-f]{15,}")
_valid = msgspec.msgpack.Decoder(Touch | Owner | Told | Tick | Asserted | Outcome | Command).decode
_statement = msgspec.msgpack.Decoder(
    Seen | Link | Owns | Named | Employed | Profiling | Asserted | Request
).decode


# ---- what must hold by itself


def problems(run: World, lines: Sequence[Line]) -> list[str]:
    """What is wrong with a run, other than differing from another run."""
    return [
        *_one_each(run, lines),
        *refused_again(run, lines),
        *forgotten(run, lines),
        *_ids(run),
        *checks_sales.letters_of_outcomes(run),
    ]


def _one_each(run: World, lines: Sequence[Line]) -> list[str]:
    """Every record is applied or refused: one of the two, never both, never neither."""
    wanted = Counter((line.event["tenant"], line.event["event_id"], line.at) for line in lines if line.event)
    applied = set()
    for value in read(run, topics.VALID.name):
        message = _valid(value)
        if isinstance(message, Touch):
            applied.add((message.tenant, message.event_id, message.occurred_at))
        elif isinstance(message, Asserted | Outcome | Command):
            applied.add((message.tenant, message.event_id, message.at))
    for value in read(run, topics.LINKS.name):
        statement = _statement(value)
        if isinstance(statement, Request):
            applied.add((statement.tenant, statement.event_id, statement.at))
    wrong = differences("applied", dict.fromkeys(applied, 1), dict.fromkeys(wanted, 1))
    good = {line.value for line in lines if line.event}
    refused = set()
    for output in run.seen(topics.DEAD.name):
        headers = dict(output.headers)
        if headers["reason"] in (b"erased", b"no_handoff", b"impossible_outcome"):
            continue
        where = (headers["topic"].decode(), int(headers["partition"]), int(headers["offset"]))
        if output.value in good or (headers["reason"] == b"processing_error") != (output.value == POISON):
            wrong.append(f"dead letter: {headers} {output.value!r}")
        if int(headers["generation"]) == run.generation:
            refused.add(where)
    outside = [topic.name for topic in topics.INPUTS]
    bad = {
        (record.topic, record.partition, record.offset)
        for topic in (*outside, *topology.INTERNAL)
        for record in run.broker.records(topic)
        if (record.value not in good if topic in outside else record.value == POISON)
    }
    return wrong + differences("refused", dict.fromkeys(refused, 1), dict.fromkeys(bad, 1))


def refused_again(run: Run, lines: Sequence[Line]) -> list[str]:
    """Touches that are erased and came again are refused, each once and without its bytes.

    Copies of an event with other identifiers are refused where those are.
    """
    wanted = _fragments(erased(lines, anonymous=run.anonymous))
    maybe = _fragments(lost(lines, anonymous=run.anonymous))
    found: set[tuple[int, int]] = set()
    wrong = []
    for output in run.seen(topics.DEAD.name):
        headers = dict(output.headers)
        if headers["reason"] == b"erased":
            found.add((int(headers["partition"]), int(headers["offset"])))
            if output.value or output.key or headers["topic"] != topics.VALID.name.encode():
                wrong.append(f"dead letter of an erased touch: {output}")
    times = Counter(offset for _, offset in found)
    for event in {*wanted, *maybe}:
        key = keys.event_key(run.config.key_of, *event)
        count = times.pop(-1 - int.from_bytes(key[:6], "big"), 0)
        fragments = wanted.get(event, set()) | maybe.get(event, set())
        if not (event in wanted) <= count <= len(fragments):
            wrong.append(f"refused as erased: {event}: {count} times, in {sorted(fragments)}")
    return wrong + [f"refused as erased: something else, {count} times" for count in times.values()]


def _fragments(lines: Sequence[Line]) -> dict[tuple[str, str, str], set[str]]:
    """(tenant, source, event id) -> the identifiers that it is a touch of."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for line in lines:
        if line.event is not None and isinstance(line.said, Said):
            event = (line.event["tenant"], line.said.source, line.said.id)
            found.setdefault(event, set()).add(line.said.fragment)
    return found


def forgotten(run: Run, lines: Sequence[Line]) -> list[str]:
    """What is erased stands nowhere any more, in plain text."""
    everywhere = list(places(run))
    wrong = []
    for name, tenant in people.tenants(lines, anonymous=run.anonymous).items():
        gone = _secrets(tenant)
        if gone:  # a hash may hold the letters of an event's id
            pattern = re.compile(b"|".join(re.escape(text.encode()) for text in sorted(gone)))
            for what, value in everywhere:
                if name.encode() in value and (hit := pattern.search(_HASHES.sub(b"", value))):
                    wrong.append(f"forgotten: {name}: {hit.group()!r} still stands in {what}: {value!r}")
    return wrong


def _secrets(tenant: Tenant) -> set[str]:
    """Identifiers, names and ids of events that only what is erased ever told."""
    left = [event for event in tenant.events if not tenant.erased(event)]
    gone = [event for event in tenant.events if tenant.erased(event)]
    secrets = {identifier for identifier in tenant.until if identifier not in tenant.contact}
    secrets -= {w for e in tenant.events for w in e.weak if tenant.alive(w, e.at)}
    named = [(end, one.at) for one in tenant.assertions if one.named for end in (one.a, one.b)]
    secrets -= {end for end, at in named if tenant.alive(end, at)}
    secrets |= {event.name for event in gone if event.name} - {event.name for event in left}
    return secrets | ({event.id for event in gone} - {event.id for event in left})


def _ids(run: Run) -> Iterator[str]:
    """One id says one thing; one (key, version) has one id."""
    said: dict[str, Any] = {}
    made: dict[Any, str] = {}
    for event in journey_events(run):
        key = (event.tenant, event.subject, event.kind, event.natural_key)
        what = (key, event.occurred_at, event.retracted, event.corrects)
        if said.setdefault(event.id, what) != what:
            yield f"ids: {event.id} says {said[event.id]} and {what}"
        if made.setdefault((key, event.version), event.id) != event.id:
            yield f"ids: {key} has two of version {event.version}"


# ---- against the naive oracle


def hearsay(run: Run, lines: Sequence[Line]) -> set[tuple[str, str]]:
    """(tenant, name) of whom it follows from the order of requests whether they are known (`Tenant.hearsay`).

    With what stands for them, and the account that each would be.
    """
    key_of = run.config.key_of
    found = set()
    for name, tenant in people.tenants(lines, anonymous=run.anonymous).items():
        for identifier, until in tenant.until.items():
            if identifier in tenant.contact and tenant.hearsay(identifier):
                account = f"a{contact_id(key_of, name, identifier, until)[1:]}"
                erased_as = keys.erased_name(keys.identifier_key(key_of, name, identifier))
                found |= {(name, identifier), (name, erased_as), (name, account)}
    return found


def against_oracle(run: Run, lines: Sequence[Line], clock: int) -> list[str]:
    """What differs from the rules, computed naively."""
    tenants = people.tenants(lines, anonymous=run.anonymous)
    return [
        f"{name}: {problem}"
        for name, tenant in tenants.items()
        if not tenant.open
        for problem in _tenant(run, name, tenant, clock)
    ]


def _tenant(run: Run, name: str, tenant: Tenant, clock: int) -> Iterator[str]:
    rows = {identifier: row for (t, identifier), row in maps(run).items() if t == name}
    ids: dict[Group, str] = {}  # naive contact or account -> our id
    for identifier, contact in tenant.contact.items():
        if identifier not in rows:
            if tenant.hearsay(identifier):
                continue
            yield f"contact of {identifier}: it has no map row"
            return
        found = {span.contact_id or "" for span in rows[identifier].spans}
        if found != {ids.setdefault(contact, next(iter(found)))}:
            yield f"contact of {identifier}: {found}, others of {sorted(contact)}: {ids[contact]}"
    accounts: dict[Group, str] = {}
    for key, account in tenant.account.items():
        if key not in rows:
            yield f"account of {key}: it has no map row"
            return
        found = {span.account_id or "" for span in rows[key].spans}
        if found != {accounts.setdefault(account, next(iter(found)))}:
            yield f"account of {key}: {found}, others of {sorted(account)}: {accounts[account]}"
    for person, firm in tenant.placed.values():
        if firm is not None and firm not in accounts:  # of kind person
            accounts[firm] = next(s.account_id or "" for i in person or () for s in rows[i].spans)
    if len(set(ids.values())) < len(ids) or len(set(accounts.values())) < len(accounts):
        yield f"one id for several: {ids} {accounts}"
    wanted = {
        key: (ids[contact] if contact else "", accounts[account])
        for key, (contact, account) in tenant.placed.items()
        if account is not None
    }
    yield from differences("touch", _placed(run, name), wanted)
    yield from _former_ids(run, name, tenant, ids, accounts)
    yield from _answers(run, name, tenant)
    yield from checks_sales.against_oracle(run, name, tenant, (accounts, ids), clock)


def _former_ids(
    run: Run, name: str, tenant: Tenant, ids: Mapping[Group, str], accounts: Mapping[Group, str]
) -> Iterator[str]:
    """Ids that were given out lead to where their identifier is now; after an erasure to nobody."""
    key_of = run.config.key_of
    now: dict[str, set[str]] = {}
    for identifier in {*tenant.contact, *tenant.until}:
        until = tenant.until.get(identifier)
        for generation in {(), () if until is None else (str(until),)}:
            issued = "c" + key_of(name, "contact", identifier, *generation).hex()[:15]
            current = until is None or bool(generation)
            now[f"journeys_contact_id:{issued}"] = (
                {ids.get(tenant.contact.get(identifier, frozenset()), "")} if current else {""}
            )
    for key, account in tenant.account.items():
        issued = "a" + key_of(name, "account", key).hex()[:15]
        now[f"journeys_account_id:{issued}"] = {accounts[account]}
    for (owner, identifier), row in maps(run).items():
        if owner == name and identifier in now:
            contact = identifier.startswith("journeys_contact")
            found = {(span.contact_id if contact else span.account_id) or "" for span in row.spans} or {""}
            if found != now[identifier]:
                yield f"former id {identifier}: {found}, expected {now[identifier]}"


def _answers(run: Run, name: str, tenant: Tenant) -> Iterator[str]:
    """Who was erased with those whom a request names was found; they themselves, if they were known.

    Where another request had erased them, with others, those are counted as well.
    """
    found = answers(run)
    for request, gone in tenant.erases.items():
        answer = found.get((name, request.id))
        if answer is None:
            yield f"answer to {request}: none"
            continue
        others = gone - set(request.identifiers)
        count = answer.counts["identifiers"]
        most = set().union(*(other for other in tenant.erases.values() if other & gone))
        if not len(others) <= count <= len(most) or (answer.result == "done") != any(answer.counts.values()):
            yield f"answer to {request}: {answer.result}, {answer.counts}, expected {sorted(gone)}"


def _placed(run: Run, name: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for (tenant, account, identifier), (parts, _) in snapshots(run).items():
        if tenant == name:
            for part in parts:
                for touch in part[3]:
                    key = (touch[3], touch[2], identifier)
                    assert key not in found, f"{key} lies in two accounts"
                    found[key] = (part[0], account)
    return found


# ---- against another run

Account = tuple[str, str]  # tenant, id
# Version of the event, who became part, up to which version it had told, whether only a zombie told of it.
Merge = tuple[Any, Account, Any, bool]


def told(run: Run, wanted: Mapping[tuple[str, str], Sequence[Event]]) -> Iterator[str]:
    """What is wrong with the journey events: each that is wanted is told once, by its account or by one that
    became part of it, up to then; and an account that is there tells nothing else.
    """
    found = events(run)
    merges: dict[Account, list[Merge]] = {}
    gone: set[Account] = set()  # those that became part of another one, and may have come back
    anew: dict[tuple[Account, Event], Any] = {}  # version at which it was first told as news
    undone = {e.corrects for e in journey_events(run) if e.type == "account_merged" and e.retracted}
    for event in journey_events(run):
        account = (event.tenant, event.subject)
        if event.type == "account_merged":
            former = (event.tenant, event.details["from"])
            gone.add(former)
            back = event.retracted or event.id in undone
            merge = (event.version, former, tuple(event.details["until"]), back)
            merges.setdefault(account, []).append(merge)
        elif not event.retracted and not event.corrects:
            key = (account, in_short(event))
            anew[key] = min(event.version, anew.get(key, event.version))
    for account, all_wanted in wanted.items():
        given = list(_given(run, merges, account))
        by_others = [one for _, one, _ in given]
        for one in all_wanted:
            if one not in (*found.get(account, ()), *by_others):
                yield f"events: {account} does not tell {one}"
        if sum(one.kind == "journey" for one in all_wanted) <= 1:  # of several the numbers may shift
            again = [
                one
                for version, one, stranger in given
                if anew.get((account, one), version) > version and not stranger
            ]
            for one in set(again) & set(all_wanted):
                yield f"events: {account} tells again what was told before it became part of it: {one}"
    for account, all_found in found.items():
        if account in gone and account not in wanted:
            continue  # it is gone; what it told is told of the time before
        for one in all_found:
            if one not in wanted.get(account, ()):
                yield f"events: {account} tells {one}, which does not hold"


def _given(
    run: Run, merges: Mapping[Account, Sequence[Merge]], account: Account, path: tuple[Merge, ...] = ()
) -> Iterator[tuple[Any, Event, bool]]:
    """What others had told when they became part of the account, the version at which it told that, and
    whether only a zombie may have told it: who handed over what had been told did not know, and took it back.
    """
    for merge in merges.get(account, ()):
        if merge in path:
            continue
        version, former, until, undone = merge
        all_told = [e for e in journey_events(run) if (e.tenant, e.subject) == former]
        back = {e.corrects for e in all_told if e.retracted and e.version > until}
        folded = fold(((e.kind, e.natural_key), e.version, e) for e in all_told if e.version <= until)
        for event in folded.values():
            if not event.retracted:
                stranger = undone or (event.id in back and event.version[:2] < until[:2])
                yield version, in_short(event), stranger
        until_then = {former: [earlier for earlier in merges.get(former, ()) if earlier[0] <= until]}
        for _, one, stranger in _given(run, {**merges, **until_then}, former, (merge, *path)):
            yield version, one, stranger
