"""What makes stitching hard beyond the ordinary story, and what people say and ask for to set it right."""

from schemas.times import DAY_MS
from streams.market import rates
from streams.market.cast import Firm, Ids, Person, identifiers, seen_as
from streams.market.records import crm_firm, crm_record
from streams.market.scene import Scene


def of_household(scene: Scene, people: list[Person], since: int, until: int) -> None:
    """Two people with one log-in; then what befalls anybody."""
    if len(people) > 1 and scene.random() < rates.FAMILY_LOGIN:
        _family_login(scene, people[0], people[1], since, until)
    for person in people:
        _of_person(scene, person, until)


def of_firm(scene: Scene, firm: Firm, since: int, until: int) -> None:
    """A consultant, keys that move or are doubled, wrong addresses; then what befalls anybody."""
    random = scene.random
    if random() < rates.CONSULTANT:
        _consultant(scene, firm, since, until)
    if len(firm.domains) > 1:
        if firm.joined and firm.account_id:
            if random() < rates.MOVED_DOMAIN:
                _moved_domain(scene, firm, until)
        elif random() < rates.ALIAS and _seen_at(scene, firm.domains):
            scene.note("two domains, told by a steward")
            one, other = (f"domain:{domain}" for domain in firm.domains)
            scene.ask(scene.between(until, until + 20 * DAY_MS), "alias", one, other)
    if firm.account_id and random() < rates.CRM_DOUBLE:
        _crm_double(scene, firm, until)
    if random() < rates.WRONG_ADDRESS:
        _wrong_address(scene, firm, until)
    for person in tuple(firm.people):
        _of_person(scene, person, until)


def _seen(scene: Scene) -> set[str]:
    return {name for event in scene.events for name in event.strong}


def _seen_at(scene: Scene, domains: list[str]) -> bool:
    """Whether each of the domains is that of an address seen."""
    seen = {name.rpartition("@")[2] for name in _seen(scene)}
    return all(domain in seen for domain in domains)


def _family_login(scene: Scene, one: Person, other: Person, since: int, until: int) -> None:
    """Somebody types their own address under the log-in of another; a steward says that these are two."""
    if not one.user_id:
        return
    scene.note("two people with one log-in")
    at, seen = scene.log_in(scene.between(since, until), one, one.cookies[0])
    at = scene.pages(at, seen, one.number, ("warmtepompen",), 1)
    theirs = identifiers(("user_id", one.user_id), ("email", other.email))
    at = scene.between(at + DAY_MS, until + 10 * DAY_MS)
    scene.say(at, "web", "identified", theirs, person=one.number)
    own = seen_as(other, ("email", other.email))
    scene.say(at + 60_000, "email", "email_clicked", own, person=other.number)
    scene.ask(at + 5 * DAY_MS, "cannot_link", f"email:{one.email}", f"email:{other.email}")


def _consultant(scene: Scene, firm: Firm, since: int, until: int) -> None:
    """Somebody with a firm of his own who works here, too: two firm addresses, one log-in."""
    own = scene.casting.firm(size=1, in_crm=False)
    person, topics, client = own.people[0], firm.topics, firm.domains[0]
    if not person.firm_mail:
        return
    scene.note("consultant with addresses at two firms")
    person.user_id = person.user_id or f"u-{100_000 + person.number}"
    local = person.email.partition("@")[0]
    there = ("email", f"{local}.{person.number}@{client}")
    times = sorted(scene.between(since, until) for _ in range(6))
    device = ("anonymous_id", person.cookies[0])
    at, seen = scene.log_in(times[0], person, person.cookies[0])
    scene.pages(at, seen, person.number, topics, 1)
    login = ("user_id", person.user_id)
    scene.say(times[1], "web", "identified", identifiers(login, there, device), person=person.number)
    scene.pages(times[2], identifiers(there), person.number, topics, 1)  # counts for the client
    scene.pages(times[3], identifiers(login, there), person.number, topics, 1)  # and so does this
    scene.pages(times[4], identifiers(device), person.number, topics)  # for his own firm
    rest = f',"account":{{"domain":"{client}"}}'  # for the client, which he names
    mail, key = identifiers(("email", person.email)), (f"domain:{client}",)
    scene.say(times[5], "web", "content_downloaded", mail, rest, person=person.number, keys=key)


def _moved_domain(scene: Scene, firm: Firm, until: int) -> None:
    """The CRM tells that one of the firm's domains is another firm's."""
    if not _seen_at(scene, firm.domains):
        return
    scene.note("domain that moves to another firm")
    other = scene.casting.firm(size=1, in_crm=True)
    at = scene.between(until + DAY_MS, until + 30 * DAY_MS)
    crm_firm(scene, other, other.domains[0], at)
    crm_firm(scene, other, firm.domains[1], at + 3 * DAY_MS)


def _crm_double(scene: Scene, firm: Firm, until: int) -> None:
    """The CRM has the firm twice; a steward says so."""
    person = next((p for p in firm.people if p.in_crm and p.firm_mail), None)
    if person is None or f"contact_id:{person.contact_id}" not in _seen(scene):
        return
    scene.note("firm that the CRM has twice")
    first, at = firm.account_id, scene.between(until + DAY_MS, until + 30 * DAY_MS)
    firm.account_id = f"{first}-2"
    crm_record(scene, firm, person, at)
    scene.ask(at + 9 * DAY_MS, "alias", f"account_id:{first}", f"account_id:{firm.account_id}")


def _wrong_address(scene: Scene, firm: Firm, until: int) -> None:
    """Somebody who is logged in types a colleague's address; a steward parts the two."""
    seen = _seen(scene)
    known = [p for p in firm.people if p.known is not None and f"email:{p.email}" in seen]
    typist = next((p for p in known if p.linked and f"user_id:{p.user_id}" in seen), None)
    if typist is None or len(known) < 2:
        return
    scene.note("colleague's address by mistake")
    colleague = next(p for p in known if p is not typist)
    at = scene.between(until, until + 20 * DAY_MS)
    ids = identifiers(("user_id", typist.user_id), ("email", colleague.email))
    scene.say(at, "web", "form_submitted", ids, person=typist.number)
    scene.ask(at + 2 * DAY_MS, "unlink", f"email:{colleague.email}", f"user_id:{typist.user_id}")


def _of_person(scene: Scene, person: Person, until: int) -> None:
    """Addresses and telephones that a steward gives to the person, consent, and the wish to be erased."""
    random, seen = scene.random, _seen(scene)
    mail = f"email:{person.email}"
    if person.known is None or mail not in seen:
        return
    if f"email:{person.apart}" in seen and random() < rates.JOINED:
        scene.note("private mail, told by a steward")
        scene.ask(scene.between(until, until + 20 * DAY_MS), "link", mail, f"email:{person.apart}")
    if random() < rates.OWN_PHONE:
        _own_phone(scene, person, mail)
    if random() < rates.REFUSED:
        scene.note("no profiling")
        at = scene.between(person.known + DAY_MS, until)
        refuse(scene, seen_as(person, ("email", person.email)), at, person.number)
    if random() < rates.ERASED:
        _erased(scene, person, seen, until)


def refuse(scene: Scene, ids: Ids, at: int, person: int) -> None:
    """Somebody, or the banner on somebody's device, says no to profiling."""
    rest = ',"consent":{"profiling":false}'
    scene.say(at, "web", "consent_withdrawn", ids, rest, person=person, profiling=False)


def _own_phone(scene: Scene, person: Person, mail: str) -> None:
    number = f"phone:{person.phone}"
    calls = [event for event in scene.events if number in event.weak]
    if calls and not any(event.strong for event in calls):
        scene.note("telephone, told by a steward")
        scene.ask(calls[0].at + 4 * DAY_MS, "link", number, mail)


def _erased(scene: Scene, person: Person, seen: set[str], until: int) -> None:
    """The person asks to be erased, by one of the identifiers; perhaps to come back."""
    assert person.known is not None
    names = [f"email:{person.email}", f"user_id:{person.user_id}", f"contact_id:{person.contact_id}"]
    known = [name for name in names if name in seen]
    at = scene.between(person.known + DAY_MS, until + 30 * DAY_MS)
    scene.note("erased")
    scene.ask(at, "erase", known[int(scene.random() * len(known))])
    if scene.random() < rates.COMES_BACK:
        scene.note("back after an erasure")
        cookie = ("anonymous_id", scene.casting.cookie())
        ids = identifiers(("email", person.email), cookie)
        again = scene.between(at + 10 * DAY_MS, at + 60 * DAY_MS)
        scene.pages(again, ids, person.number, ("prijzen",), 1)
        scene.pages(again + DAY_MS, identifiers(cookie), person.number, ("prijzen",))
