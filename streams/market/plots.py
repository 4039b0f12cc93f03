"""The stories of the market: firms and their buying groups, households, a trade fair, passers-by."""

from typing import Final

from schemas.times import DAY_MS
from streams.market import rates, spelling, twists, words
from streams.market.cast import Firm, Person, identifiers, seen_as
from streams.market.records import (
    app_use,
    crm_record,
    mails,
    meeting,
    moved,
    order,
    phone_call,
    role_mailbox,
    support_call,
)
from streams.market.scene import NOBODY, Scene

AWARENESS, CONSIDERATION, EVALUATION, PURCHASE, EXPERIENCE, LOYALTY = range(6)  # how far a journey goes
_CONSENT: Final = ',"consent":{"marketing":true,"profiling":true}'
_CONCRETE: Final = ("catalogue_requested", "sample_requested", "account_registered", "content_downloaded")
_COMPARING: Final = ("quote_requested", "demo_requested", "call_requested")
_KNOWN: Final = (0.45, 0.8, 0.9, 0.95, 0.95, 0.95)  # chance that a member identifies itself, by depth


def story(scene: Scene, start: int) -> None:
    """Writes the events of one story that begins on the day of `start` (ms)."""
    chance = scene.random()
    if chance < rates.PASSER_BY:
        _passer_by(scene, start)
    elif chance < rates.PASSER_BY + rates.HOUSEHOLD:
        _household(scene, start)
    elif chance < rates.PASSER_BY + rates.HOUSEHOLD + rates.FAIR:
        _fair(scene, start)
    else:
        _firm(scene, start)


def _passer_by(scene: Scene, start: int) -> None:
    scene.note("cookie that never identifies itself")
    ids = identifiers(("anonymous_id", scene.casting.cookie()))
    topics = (words.TOPICS[int(scene.random() * len(words.TOPICS))],)
    for _ in range(1 + int(scene.random() * 3)):
        at = scene.between(start, start + 30 * DAY_MS)
        if scene.random() < 0.2:
            campaign = ',"campaign":{"campaign_id":"gads-voorjaar","medium":"cpc","source":"google"}'
            scene.say(at, "ads", "ad_clicked", ids, campaign, person=NOBODY)
            at += 2_000
        scene.pages(at, ids, NOBODY, topics)


def _household(scene: Scene, start: int) -> None:
    scene.note("private mail only")
    people = [scene.casting.person("") for _ in range(1 + int(scene.random() * 2))]
    topics = tuple(scene.rng.sample(words.TOPICS, 2))
    end = start + 40 * DAY_MS
    for person in people:
        _member(scene, person, topics, start, end, CONSIDERATION)
    if len(people) > 1 and scene.random() < 0.5:
        _shared_device(scene, people, topics, start, end)
    if people[0].known is not None:
        if scene.random() < 0.3:
            order(scene, None, people[0], scene.between(end, end + 20 * DAY_MS))
        mails(scene, people[0], topics, people[0].known, end)
    twists.of_household(scene, people, start, end)


def _fair(scene: Scene, start: int) -> None:
    scene.note("four or more people of several firms at one device")
    tablet = ("device_id", scene.casting.cookie("tablet"))
    anonymous = identifiers(tablet)
    for _ in range(4 + int(scene.random() * 3)):
        firm = scene.casting.firm(size=1, in_crm=scene.random() < rates.FIRM_IN_CRM)
        person = firm.people[0]
        at = scene.between(start, start + 2 * DAY_MS)
        person.known = at
        seen = seen_as(person, ("email", person.email), tablet)
        rest = f',{person.facts},"content":{{"topic":"vakbeurs","content_id":"vakbeurs-{start // DAY_MS}"}}'
        scene.say(at, "events", "event_attended", seen, rest, person=person.number, topic="vakbeurs")
        scene.pages(at + 60_000, anonymous, person.number, firm.topics)
        _journey(scene, firm, start + 7 * DAY_MS, AWARENESS)


def _firm(scene: Scene, start: int) -> None:
    size = rates.GROUP_SIZES[int(scene.random() * len(rates.GROUP_SIZES))]
    firm = scene.casting.firm(size=size, in_crm=scene.random() < rates.FIRM_IN_CRM)
    if not spelling.in_unicode(firm.domains[0]).isascii():
        scene.note("domain beyond ASCII")
    if len(firm.domains) > 1 and size > 1:
        told = firm.joined and firm.account_id
        scene.note("two domains, told by the CRM" if told else "two domains, never told")
    end = _journey(scene, firm, start, _depth(scene))
    mover = next((p for p in firm.people if p.in_crm and p.firm_mail), None)
    if mover and scene.random() < rates.JOB_CHANGE / 0.5:  # about half of the firms have somebody who could
        _job_change(scene, firm, mover, end)
    if firm.people and scene.random() < rates.SECOND_JOURNEY:
        scene.note("comes back after half a year")
        _journey(scene, firm, end + (185 + int(scene.random() * 90)) * DAY_MS, _depth(scene))
    twists.of_firm(scene, firm, start, end)


def _job_change(scene: Scene, firm: Firm, mover: Person, end: int) -> None:
    scene.note("job change")
    firm.people.remove(mover)
    size = 1 + int(scene.random() * 3)
    other = scene.casting.firm(size=size, in_crm=True)
    scene.casting.move(mover, other)
    at = scene.between(end + 10 * DAY_MS, end + 60 * DAY_MS)
    moved(scene, other, mover, at)
    _journey(scene, other, at + DAY_MS, _depth(scene))


def _depth(scene: Scene) -> int:
    chance = scene.random()
    return sum(chance >= bound for bound in rates.DEPTHS)


def _journey(scene: Scene, firm: Firm, start: int, depth: int) -> int:
    """One journey of a firm; returns the time after its last touch."""
    random = scene.random
    end = start + int(rates.JOURNEY_DAYS[depth] * (0.4 + 0.6 * random()) * DAY_MS)
    group = firm.people if depth >= EVALUATION else firm.people[: 1 + int(random() * 3)]
    for person in group:
        joins = start + int(random() * 0.5 * (end - start))
        _member(scene, person, firm.topics[: 1 + depth], joins, end, depth)
    _milestones(scene, firm, group, start, end, depth)
    _devices(scene, firm, group, start, end)
    for person in group:
        if person.known is not None:
            _relations(scene, firm, person, max(person.known, start), end)
    if group and random() < rates.ROLE_MAILBOX:
        known = [p for p in group if p.known is not None and p.known >= start and p.firm_mail]
        if known:
            role_mailbox(scene, known[0])
    return max((event.at for event in scene.events), default=end)


def _member(
    scene: Scene, person: Person, topics: tuple[str, ...], since: int, until: int, depth: int
) -> None:
    """The visits of one person: anonymous at first, then perhaps known."""
    random = scene.random
    times = sorted(scene.between(since, until) for _ in range(1 + int(random() * (2 + depth))))
    if random() < rates.BANNER:
        scene.note("device that refuses profiling")
        banner = seen_as(person, ("anonymous_id", person.cookies[0]))
        twists.refuse(scene, banner, times[0], person.number)
    known_at = min(int(random() * 3), len(times) - 1) if random() < _KNOWN[depth] else -1
    if known_at < 0 and person.known is None:
        scene.note("member who never identifies himself")
    elif known_at > 0 and person.known is None:
        scene.note("anonymous before identified")
    for n, at in enumerate(times):
        cookie = person.cookies[-1 if random() < 0.3 else 0]
        if n == known_at and person.known is None:
            _identify(scene, person, cookie, at, topics)
        else:
            visit(scene, person, cookie, at, topics)
    if person.known is not None and len(person.cookies) > 1:
        scene.note("several devices")


def visit(scene: Scene, person: Person, cookie: str, at: int, topics: tuple[str, ...]) -> None:
    """One visit; of a known person it may begin with a log-in, the rest is anonymous."""
    anonymous = seen_as(person, ("anonymous_id", cookie))
    if person.known is not None and person.known < at and scene.random() < rates.LOGIN_VISIT:
        at, seen = scene.log_in(at, person, cookie)
        at = scene.pages(at, seen, person.number, topics, 1)
    scene.pages(at, anonymous, person.number, topics)


def _identify(scene: Scene, person: Person, cookie: str, at: int, topics: tuple[str, ...]) -> None:
    """Some anonymous pages, then a form with the mail address; a page may come again with that address."""
    anonymous = seen_as(person, ("anonymous_id", cookie))
    seen = seen_as(person, ("email", person.email), ("anonymous_id", cookie))
    at = scene.pages(at, anonymous, person.number, topics)
    if scene.random() < rates.RESENT and at <= rates.END_MS:
        scene.resend(seen, anonymous)
    form(scene, person, cookie, at, "form_submitted", topics[0])


def form(scene: Scene, person: Person, cookie: str, at: int, type_: str, topic: str) -> None:
    """A form with the person's mail address, on the device of `cookie`."""
    person.known = at if person.known is None else min(person.known, at)
    pairs = [("email", person.email), ("anonymous_id", cookie)]
    if type_ == "account_registered" and person.user_id:
        person.linked = True
        pairs.insert(0, ("user_id", person.user_id))
    if person.phone:
        pairs.insert(-1, ("phone", person.phone))
    ids = seen_as(person, *pairs)
    if scene.random() < rates.ODD_SPELLING:
        scene.note("odd spelling")
        name = person.facts.split('"')[5]
        spelled = {"email": spelling.email(scene.rng, person.email, name)}
        if person.phone:
            spelled["phone"] = spelling.phone(scene.rng, person.phone)
        ids = identifiers(
            *pairs, spelled={kind: text for kind, text in spelled.items() if kind in dict(pairs)}
        )
    page = words.PAGES[topic][0]
    rest = f",{person.facts},{page}{_CONSENT}"
    scene.say(at, "web", type_, ids, rest, person=person.number, topic=topic, profiling=True)


def _milestones(scene: Scene, firm: Firm, group: list[Person], start: int, end: int, depth: int) -> None:
    """What takes the journey further: each by somebody of the group, who thereby is known."""
    random, topic = scene.random, firm.topics[0]

    def someone() -> Person:
        return group[int(random() * len(group))]

    def moment(part: float) -> int:
        return scene.office_time(start + int((part + 0.1 * random()) * (end - start)))

    if depth >= CONSIDERATION:
        type_ = _CONCRETE[int(random() * 4)]
        person, at = someone(), moment(0.35)
        form(scene, person, person.cookies[0], at, type_, topic)
        if type_ == "content_downloaded":
            form(scene, person, person.cookies[0], moment(0.45), type_, topic)
    if depth >= EVALUATION:
        person = someone()
        if random() < 0.3:
            meeting(scene, person, moment(0.6))
        else:
            form(scene, person, person.cookies[0], moment(0.6), _COMPARING[int(random() * 3)], topic)
    if depth >= PURCHASE:
        order(scene, firm, someone(), moment(0.75))
    if depth >= EXPERIENCE:
        support_call(scene, someone(), moment(0.9))
    if depth >= LOYALTY:
        for n in 1, 2:
            order(scene, firm, someone(), scene.office_time(end + n * int((10 + random() * 80) * DAY_MS)))


def _devices(scene: Scene, firm: Firm, group: list[Person], start: int, end: int) -> None:
    if len(group) > 1 and scene.random() < rates.SHARED_DEVICE:
        _shared_device(scene, group[:2], firm.topics, start, end)
    if len(group) > 4 and scene.random() < rates.WAREHOUSE_PC:
        scene.note("four or more colleagues at one device")
        _at_one_device(scene, group[:5], firm.topics, (start, start + 15 * DAY_MS), 10)


def _shared_device(scene: Scene, people: list[Person], topics: tuple[str, ...], start: int, end: int) -> None:
    scene.note("two people at one device")
    _at_one_device(scene, people[:2], topics, (start, end), 5)


def _at_one_device(
    scene: Scene, people: list[Person], topics: tuple[str, ...], period: tuple[int, int], visits: int
) -> None:
    """Visits in turn at one device; most begin with a log-in."""
    cookie = scene.casting.cookie("pc")
    anonymous = identifiers(("anonymous_id", cookie))
    for n, at in enumerate(sorted(scene.between(*period) for _ in range(visits))):
        person, moment = people[n % len(people)], at
        if n < len(people) or scene.random() >= rates.STRANGER_VISIT:
            moment, seen = scene.log_in(at, person, cookie)
            moment = scene.pages(moment, seen, person.number, topics, 1)
        scene.pages(moment, anonymous, person.number, topics, 1)


def _relations(scene: Scene, firm: Firm, person: Person, since: int, end: int) -> None:
    """What other systems tell of a person known since then."""
    told = firm.joined or not person.firm_mail or person.email.endswith(f"@{firm.domains[0]}")
    if firm.account_id and told and not person.in_crm and scene.random() < rates.PERSON_IN_CRM:
        at = scene.between(since + DAY_MS, since + 15 * DAY_MS)
        crm_record(scene, firm, person, at)
    mails(scene, person, firm.topics, since, end)
    if person.device_id:
        app_use(scene, person, since, end)
    if person.phone and scene.random() < 0.3:
        phone_call(scene, person, scene.between(since + DAY_MS, end))
