"""One tenant's identifiers during one batch: take the statements in, then resolve again what they touch.

What is resolved again: the raw link components that were touched, by way of `Index` everything whose map
row follows from theirs, and nothing else.
"""

from collections.abc import Collection, Iterator, Mapping

from schemas.identifiers import address_domain
from schemas.internal import (
    ACCOUNT_KINDS,
    ISSUED_KINDS,
    STRONG_KINDS,
    WEAK_KINDS,
    Asserted,
    Employed,
    Evidence,
    Link,
    Named,
    Owns,
    Profiling,
    Request,
    Seen,
    kind_of,
)
from streams.identity import evidence
from streams.identity.accounts import person_account
from streams.identity.batch import Batch
from streams.identity.contacts import moments, timeline
from streams.identity.erasure import ERASED, Erasures
from streams.identity.issued import ACCOUNT, Issued, gives, in_spans
from streams.identity.requests import Asked, ErasedGroup
from streams.identity.resolver import ACCOUNT_LIMITS, CONTACT_LIMITS
from streams.identity.rows import (
    CANNOT_LINK,
    LINK,
    UNLINK,
    Row,
    Word,
    add_link,
    add_named,
    add_owner,
    add_word,
    asserted,
    is_erased,
    is_gone,
    is_known,
    said_first,
    weak_kind,
)
from streams.identity.spans import NOBODY, Person, Span, ownership
from streams.identity.table import Table

KEPT_BY_LAST = ("anonymous_id", "device_id")  # the kinds that the setting `device_policy` is about

_CLASS = {
    **dict.fromkeys(STRONG_KINDS, "strong"),
    **dict.fromkeys(ACCOUNT_KINDS, "account"),
    **dict.fromkeys(WEAK_KINDS, "weak"),
}


class Tenant:
    """Statements in, by the method of their name; then `resolve` once, then `evidence`."""

    def __init__(self, table: Table, issued: Issued, *, device_policy: str = "last_known") -> None:
        self._table = table
        self._issued = issued
        self._erasures = Erasures(table, issued)
        self._device_policy = device_policy
        self._replaced: set[str] = set()  # ids that were published, and are not where they were
        self._naming: set[str] = set()  # identifiers: the accounts that their touches name are to be told
        self._told: set[tuple[str, str, str]] = set()  # links (a, b, source): how they fared is to be told
        self._unkept: list[Link] = []  # that no row keeps

    # Statements

    def seen(self, said: Seen) -> None:
        """The identifier exists; or somebody names an id that we issued."""
        self._table.mention(said.identifier, said.at)

    def link(self, said: Link) -> None:
        """Both are one contact, or one account."""
        one = self._table.mention(said.a, said.at)
        if is_known(one, said.b, said.source, said.rank, said.at):
            return
        ends = one, self._table.mention(said.b, said.at)
        if is_erased(ends[0], said.at) or is_erased(ends[1], said.at):
            self._erasures.link(said)
            return
        first = said_first(one, said.b, said.source, said.rank)
        # an account link that was said earlier, too, may come later in the order: see `Said.changed`
        falls = first is not None and said.at < first and kind_of(said.a) in ACCOUNT_KINDS
        stale: set[str] = set()
        for row, partner in zip(ends, (said.b, said.a), strict=True):
            if changed := add_link(row, partner, said.source, said.rank, said.at):
                stale |= changed
                self._table.changed.add(row.identifier)
        if not stale:
            if first is None and said_first(ends[1], said.a, said.source, said.rank) is None:
                self._unkept.append(said)
        elif falls or (ends[0].inert | ends[1].inert) >> said.rank & 1 or said.b in ends[0].words:
            self._table.stale[kind_of(said.a)] |= stale
            self._table.fared |= {(row.identifier, one) for row in ends for one in stale if one in row.links}
        else:
            self._table.linked[said.a, said.b] = None
            self._told.add((said.a, said.b, said.source))

    def owns(self, said: Owns) -> None:
        """From then on the weak identifier belongs to the strong one."""
        known = self._table.find(said.weak)
        if known is not None and said.at in known.owners.get(said.strong, ()):
            return
        self._table.mention(said.strong, said.at)
        row = self._table.mention(said.weak, said.at)
        if is_erased(row, said.at):
            return
        strong = self._erasures.owner(said.weak, said.strong, said.at)
        new = strong not in row.owners
        if add_owner(row, strong, said.at):
            if new:
                self._table.index.add(strong, said.weak)
            self._table.touch(said.weak)

    def named(self, said: Named) -> None:
        """Touches of the identifier name the account key."""
        self._table.mention(said.account, said.at)
        row = self._table.mention(said.identifier, said.at)
        if not is_gone(row, said.at) and add_named(row, said.account):
            self._table.index.add(said.account, said.identifier)
            self._table.settle(said.identifier)  # a weak one has a map row from now on
            self._naming.add(said.identifier)

    def employed(self, said: Employed) -> None:
        """The person works for the account from then on."""
        employment = (said.source, said.contact or said.identifier, said.at, said.account)
        known = self._table.find(said.identifier)
        if known is not None and employment in known.employed:
            return
        self._table.mention(said.account, said.at)
        row = self._table.mention(said.identifier, said.at)
        if not is_erased(row, said.at):
            row.employed.append(employment)
            self._table.index.add(said.account, said.identifier)
            self._table.settle(said.identifier)

    def profiling(self, said: Profiling) -> None:
        """What the identifier's word on profiling is, at its time."""
        row = self._table.mention(said.identifier, said.at)
        word = (said.at, not said.given)
        if not is_erased(row, said.at) and (row.profiling is None or word > row.profiling):
            row.profiling = word
            self._table.settle(said.identifier)

    def asserted(self, said: Asserted) -> None:
        """What a person says of a pair. Pairs and words that mean nothing here are passed over.

        An id that we issued means the identifier that it stands for; a statement on one that stands for
        nobody waits.
        """
        a, b = (
            self._issued.identifier(one) if kind_of(one) in ISSUED_KINDS else one for one in (said.a, said.b)
        )
        if a is None or b is None:
            self._issued.wait(said.a if a is None else said.b, said)
            return
        classes = sorted(_CLASS.get(kind_of(one), "") for one in (a, b))
        what = LINK if said.assertion == "alias" and classes == ["account", "account"] else said.assertion
        if a == b or what not in (LINK, UNLINK, CANNOT_LINK):
            return
        if classes == ["strong", "strong"] and kind_of(said.a) == kind_of(said.b) == ACCOUNT:
            return  # two persons' own accounts: nothing is said of the persons
        by_id = {a: a != said.a, b: b != said.b}
        if classes in (["strong", "strong"], ["account", "account"]):
            ends = [(a, b), (b, a)]
        elif classes == ["strong", "weak"]:
            weak, strong = (a, b) if kind_of(a) in WEAK_KINDS else (b, a)
            ends = [(weak, strong)]
        else:
            return
        rows = [self._table.mention(identifier, said.at) for identifier in (a, b)]
        self._issued.named(one for one in (said.a, said.b) if kind_of(one) in ISSUED_KINDS)
        if classes == ["strong", "weak"]:
            ((weak, strong),) = ends
            if is_erased(self._table.row(weak), said.at):
                return
            owner = self._erasures.owner(weak, strong, said.at)
            by_id[owner] = by_id[strong]
            ends = [(weak, owner)]
            self._table.index.add(owner, weak)
            if not self._table.row(weak).words:  # FRAGMENTS hears of the first
                self._table.published.add(weak)
        elif any(is_erased(row, said.at) for row in rows):
            self._erasures.word(a, b, Word(said.at, said.event_id, what, said.by))
            return
        for identifier, partner in ends:
            word = Word(said.at, said.event_id, what, said.by, (by_id[identifier], by_id[partner]))
            if add_word(self._table.row(identifier), partner, word):
                self._table.touch(identifier)
                self._table.fared.add((identifier, partner))

    def request(self, said: Request) -> None:
        """What a person asks for."""
        self._erasures.request(said)

    def _again(self, said: Asserted | Request) -> None:
        """What had waited for an id."""
        if isinstance(said, Asserted):
            self.asserted(said)
        else:
            for name in said.identifiers:
                self._erasures.ask(said, name)

    # Resolution

    def resolve(self) -> Iterator[Row]:
        """Resolve what was touched and write the rows; gives those whose map rows changed, sorted."""
        while self._table.born:
            for said in self._issued.born(self._table.born.pop()):
                self._again(said)
        for members in self._clusters(self._table.accounts, ACCOUNT_KINDS, ACCOUNT_LIMITS):
            self._settle_account(members)
        for members in self._clusters(self._table.contacts, STRONG_KINDS, CONTACT_LIMITS):
            self._settle_contact(members)
        for identifier in self._table.owned:
            self._settle_owned(self._table.row(identifier))
            self._erasures.rename(identifier)
        for identifier in self._naming:
            self._settle_naming(self._table.row(identifier))
        self._settle_issued()
        for row in self._table.write():
            if row.identifier in self._table.published:
                yield row

    def answers(self, now: int) -> tuple[list[Asked], list[ErasedGroup]]:
        """Requests whose answer is new, and groups of erased identifiers that changed."""
        return self._erasures.write(now)

    def evidence(self, version: bytes) -> Iterator[Evidence]:
        """How the links fared of which something else holds now, or that no row keeps."""
        for identifier, partner in sorted(self._table.fared):
            yield from evidence.fared(self._table.row(identifier), partner, version)
        for a, b, source in sorted(self._told):
            if (a, b) not in self._table.fared:
                fared = evidence.fared(self._table.row(a), b, version)
                yield from (one for one in fared if one.source == source)
        for said in self._unkept:
            yield Evidence(
                said.tenant, said.a, said.b, said.source, said.rank, said.at, "inert", evidence.INERT, version
            )

    def _clusters(
        self, stale: set[str], kinds: Collection[str], limits: Mapping[str, int]
    ) -> list[list[str]]:
        """The clusters of contacts or of accounts that are to be settled."""
        linked = [pair for pair in self._table.linked if kind_of(pair[0]) in kinds]
        unsettled = [one for one in self._table.unsettled if kind_of(one) in kinds]
        return Batch(self._table, limits).resolve(stale, linked, unsettled)

    def _settle_account(self, members: list[str]) -> None:
        account = gives(self._table.names.key_of, self._table.row(self._table.canonical(members)))
        for member in members:
            if self._publish(self._table.row(member), [(None, None, account)]):
                for dependant in self._table.dependants(member):
                    self._naming.add(dependant)
                    if kind_of(dependant) in STRONG_KINDS:
                        self._table.unsettled.add(dependant)
                    elif kind_of(dependant) in ISSUED_KINDS:
                        self._table.issued.add(dependant)

    def _account_of(self, key: str) -> str:
        return self._table.row(key).spans[0][2] or ""

    def _settle_contact(self, members: list[str]) -> None:
        rows = [self._table.row(member) for member in members]
        contact = gives(self._table.names.key_of, self._table.row(self._table.canonical(members)))
        at_firm = {member: domain for member in members if (domain := address_domain(member)) is not None}
        firms = {domain: self._account_of(domain) for domain in at_firm.values()}
        first = firms[at_firm[self._table.canonical(list(at_firm))]] if at_firm else None
        begun = moments(
            ((source, who), at, account, self._account_of(account))
            for row in rows
            for source, who, at, account in row.employed
        )
        firmless = first is None and not begun
        person = person_account(contact) if firmless else ""
        home = timeline(begun, None, first, person)
        private = any(row.profiling is not None and row.profiling[1] for row in rows)
        for row in rows:
            accounts, places = home, {}
            if (domain := at_firm.get(row.identifier)) is not None:
                accounts = timeline(begun, firms[domain], first, person)
            elif len(firms) > 1 and kind_of(row.identifier) != "email":
                accounts, places = timeline(begun, None, first, person, apart=True), firms
            if row.home != home or row.private != private or row.spans[0][1] != contact:
                row.home, row.private = home, private
                self._table.changed.add(row.identifier)
                for dependant in self._table.dependants(row.identifier):
                    self._table.again(dependant)
            self._publish(row, [(since, contact, account) for since, account in accounts], places)

    def _settle_owned(self, row: Row) -> None:
        owners = asserted(row)
        if owners:
            people = {strong: self._person(strong) for strong in owners}
            keeps = self._device_policy == "last_known" or weak_kind(row) not in KEPT_BY_LAST
            spans = ownership(owners, people, keeps=keeps)
        elif row.owners or row.words or row.crowded or row.accounts or row.erasure is not None or row.spans:
            spans = NOBODY
        else:
            return
        if row.erasure is not None:
            spans = self._erasures.hidden(row, spans)
        refused = row.profiling is not None and row.profiling[1]
        self._publish(row, NOBODY if refused else spans)

    def _person(self, strong: str) -> Person:
        if strong.startswith(ERASED):
            return self._erasures.person(strong)
        row = self._table.row(strong)
        return Person(row.spans[0][1] or "", row.home, row.private)

    def _settle_naming(self, row: Row) -> None:
        accounts = {key: self._account_of(key) for key in row.accounts}
        if accounts != row.accounts:
            row.accounts = accounts
            self._table.changed.add(row.identifier)
            self._table.published.add(row.identifier)

    def _settle_issued(self) -> None:
        """The ids that are not current any more, and those that stand for what has changed."""
        for name in sorted(self._replaced):
            if self._table.find(name) is None and self._issued.ceased(name):
                self._table.blank(name)
                self._table.issued.add(name)
        for name in self._table.issued:
            row = self._table.row(name)
            self._publish(row, self._issued.spans(row))

    def _publish(self, row: Row, spans: list[Span], places: dict[str, str] | None = None) -> bool:
        """Give a row its spans, and what places touches in the first: whether that is news."""
        places = places or {}
        if spans == row.spans and places == row.places:
            return False
        if row.spans and kind_of(row.identifier) not in (*WEAK_KINDS, *ISSUED_KINDS):
            self._replaced |= in_spans(row.spans) - in_spans(spans)
        row.spans, row.places = spans, places
        self._table.changed.add(row.identifier)
        self._table.published.add(row.identifier)
        return True
