"""Who is in the simulated market: people and firms, and under which identifiers they can be seen."""

from random import Random
from typing import Final

import msgspec

from streams.market import rates, words
from streams.market.spelling import IDN_SUFFIX, in_ascii

_FIRMS: Final = len(words.LAST_NAMES_NL) * len(words.TRADES) * len(words.TOWNS)
_STRIDE: Final = 10_007  # prime and no divisor of the number of firm names: every firm gets a name of its own
_PHONES: Final = 40_000_000  # mobile numbers +31 610 000 000 and up


class Ids(msgspec.Struct, gc=False, frozen=True):
    """The identifiers of one touch: the field as JSON text, and what is valid in it (`kind:value`)."""

    json: str
    strong: tuple[str, ...] = ()  # strongest first
    weak: tuple[str, ...] = ()  # strongest first


class Firm(msgspec.Struct):
    """A firm; empty text means it has none."""

    name: str
    domains: list[str]
    trade: str
    account_id: str  # in the CRM
    customer_number: str  # in the ERP
    vat_number: str
    joined: bool  # the CRM tells of all domains
    topics: tuple[str, ...]  # interests, the main one first
    people: list["Person"]
    told: bool = False  # the CRM has told of this firm


class Person(msgspec.Struct):
    """A person; empty text means there is none. `known` is the time of the first identified touch."""

    number: int
    facts: str  # `contact` as JSON text
    email: str  # the address in use
    firm_mail: bool  # that address is at the firm's domain
    contact_id: str  # in the CRM, once it tells of this person
    cookies: list[str]
    user_id: str = ""
    phone: str = ""
    device_id: str = ""  # of the app
    private: str = ""  # private mail, told at a log-in
    apart: str = ""  # private mail that is never seen together with anything else
    former: str = ""  # mail address at the former firm
    known: int | None = None
    linked: bool = False  # log-in and mail address were seen together
    in_crm: bool = False
    seen: dict[tuple[str, ...], Ids] = {}  # identifiers made before


def identifiers(*pairs: tuple[str, str], spelled: dict[str, str] | None = None) -> Ids:
    """The identifiers of a touch from (kind, value), strongest first; `spelled` writes a value differently.

    >>> ids = identifiers(("email", "s@acme.nl"), ("anonymous_id", "c1"))
    >>> ids.json, ids.strong, ids.weak
    ('"identifiers":{"email":"s@acme.nl","anonymous_id":"c1"}', ('email:s@acme.nl',), ('anonymous_id:c1',))
    """
    written = dict(pairs) | (spelled or {})
    body = ",".join(f'"{kind}":"{value}"' for kind, value in written.items())
    strong = tuple(f"{kind}:{value}" for kind, value in pairs if kind in ("contact_id", "user_id", "email"))
    weak = tuple(f"{kind}:{value}" for kind, value in pairs if kind in ("phone", "anonymous_id", "device_id"))
    return Ids(f'"identifiers":{{{body}}}', strong, weak)


def seen_as(person: Person, *pairs: tuple[str, str]) -> Ids:
    """`identifiers`, remembered with the person: the same few come again with every visit."""
    values = tuple(value for _, value in pairs)
    found = person.seen.get(values)
    if found is None:
        found = person.seen[values] = identifiers(*pairs)
    return found


class Casting:
    """Makes people and firms; every identifier is given out once. All chance comes from `rng`."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._people = 0
        self._firms = 0
        self._devices = 0

    def cookie(self, prefix: str = "c") -> str:
        """A new cookie or device id."""
        self._devices += 1
        return f"{prefix}-{self._devices:06x}{self.rng.getrandbits(24):06x}"

    def firm(self, *, size: int, in_crm: bool) -> Firm:
        """A new firm with a buying group of `size` people."""
        rng = self.rng
        firm = self._named(in_crm)
        english = rng.random() < rates.ENGLISH
        taken: dict[str, int] = {}
        for n in range(size):
            domain = firm.domains[n % len(firm.domains)]
            if rng.random() < rates.PRIVATE_MAIL:
                domain = ""
            firm.people.append(self.person(domain, english=english, taken=taken))
        return firm

    def person(self, domain: str, *, english: bool = False, taken: dict[str, int] | None = None) -> Person:
        """A new person with a mail address at `domain` (empty: private mail)."""
        rng = self.rng
        self._people += 1
        number = self._people
        name, local, title = self._name(english)
        taken = {} if taken is None else taken
        n = taken[local] = taken.get(local, 0) + 1
        private = f"{local}{number}@{words.FREE_MAIL[int(rng.random() * len(words.FREE_MAIL))]}"
        work = f"{local}{n if n > 1 else ''}@{domain}" if domain else private
        contact = (
            f'"contact":{{"name":"{name}","job_title":"{title}","language":"{"en" if english else "nl"}"}}'
        )
        person = Person(number, contact, work, bool(domain), f"003{number:09d}", [self.cookie()])
        if domain:
            self._second_mail(person, private)
        if rng.random() < rates.HAS_LOGIN:
            person.user_id = f"u-{100_000 + number}"
            if rng.random() < rates.APP_USER:
                person.device_id = self.cookie("d")
        if rng.random() < rates.HAS_PHONE:
            person.phone = f"+316{10_000_000 + number * 7_919 % _PHONES}"
        if rng.random() < rates.SECOND_DEVICE:
            person.cookies.append(self.cookie())
        return person

    def move(self, person: Person, firm: Firm) -> None:
        """The person goes to work at `firm`: new address and device, the same record in the CRM."""
        local = person.email.partition("@")[0]
        person.former = person.email
        person.email = f"{local}.{person.number}@{firm.domains[0]}"
        person.firm_mail = True
        person.cookies = [self.cookie()]
        person.device_id = ""
        person.seen = {}
        firm.people.insert(0, person)

    def _second_mail(self, person: Person, private: str) -> None:
        chance = self.rng.random()
        if chance < rates.SECOND_MAIL:
            person.private = private
        elif chance < rates.SECOND_MAIL + rates.UNLINKED_MAIL:
            person.apart = private

    def _name(self, english: bool) -> tuple[str, str, str]:
        rng = self.rng
        firsts = words.FIRST_NAMES_EN if english else words.FIRST_NAMES_NL
        lasts = words.LAST_NAMES_EN if english else words.LAST_NAMES_NL
        titles = words.TITLES_EN if english else words.TITLES_NL
        first, first_ascii = firsts[int(rng.random() * len(firsts))]
        last, last_ascii = lasts[int(rng.random() * len(lasts))]
        title = titles[int(rng.random() * len(titles))]
        return f"{first} {last}", f"{first_ascii}.{last_ascii}", title

    def _named(self, in_crm: bool) -> Firm:
        rng = self.rng
        number = self._firms
        self._firms += 1
        rest, town = divmod(number * _STRIDE % _FIRMS, len(words.TOWNS))
        last, trade = divmod(rest, len(words.TRADES))
        surname, surname_ascii = words.LAST_NAMES_NL[last]
        trade_name, trade_ascii = words.TRADES[trade]
        again = number // _FIRMS  # more firms than names: a number behind the name
        base = f"{surname_ascii}-{trade_ascii}-{words.TOWNS[town]}{again + 1 if again else ''}"
        idn = rng.random() < rates.IDN
        domains = [in_ascii(f"{base}{IDN_SUFFIX}.nl") if idn else f"{base}.nl"]
        if rng.random() < rates.TWO_DOMAINS:
            domains.append(f"{base}.com")
        in_erp = rng.random() < rates.FIRM_IN_ERP
        return Firm(
            name=f"{surname[0].upper()}{surname[1:]} {trade_name} {words.TOWNS[town].capitalize()} B.V.",
            domains=domains,
            trade=trade_ascii,
            account_id=f"A-{10_000 + number}" if in_crm else "",
            customer_number=f"{100_000 + number}" if in_erp else "",
            vat_number=f"NL{800_000_000 + number}B01" if in_erp else "",
            joined=rng.random() < rates.DOMAINS_JOINED,
            topics=tuple(rng.sample(words.TOPICS, 3)),
            people=[],
        )
