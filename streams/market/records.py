"""What systems other than the website tell of people and firms: CRM, ERP and shop, mail, app, support."""

from typing import Final

from schemas.times import DAY_MS
from streams.market import rates, words
from streams.market.cast import Firm, Ids, Person, identifiers, seen_as
from streams.market.scene import NOBODY, Scene
from streams.market.spelling import in_unicode

NO_PERSON: Final = Ids('"identifiers":{}')
_MAILS: Final = ("welkom-1", "nieuwsbrief-voorjaar", "nieuwsbrief-najaar", "actie-warmtepompen")


def _whole_second(at: int) -> int:
    return at // 1000 * 1000  # CRM and ERP keep no fractions


def crm_record(scene: Scene, firm: Firm, person: Person, at: int) -> None:
    """The CRM tells that this person works for this firm; the firm's facts come along the first time."""
    person.in_crm = True
    domain = person.email.partition("@")[2] if person.firm_mail else firm.domains[0]
    ids = seen_as(person, ("contact_id", person.contact_id), ("email", person.email))
    account = f'"account_id":"{firm.account_id}","domain":"{in_unicode(domain)}","name":"{firm.name}"'
    rest = f',{person.facts},"account":{{{account}}}'
    if not firm.told:
        employees = 2 + int(scene.random() ** 3 * 400)
        rest += f',"organisation":{{"employees":{employees},"industry":"{firm.trade}","country":"NL"}}'
    firm.told = True
    if not person.firm_mail:
        scene.note("private mail, told by the CRM")
    keys = (f"account_id:{firm.account_id}", f"domain:{domain}")
    type_ = "identified" if scene.random() < 0.3 else "profile_updated"
    scene.say(_whole_second(at), "crm", type_, ids, rest, person=person.number, keys=keys)


def crm_firm(scene: Scene, firm: Firm, domain: str, at: int) -> None:
    """The CRM tells of a firm and of a domain of it, of no person."""
    rest = f',"account":{{"account_id":"{firm.account_id}","domain":"{domain}","name":"{firm.name}"}}'
    keys = (f"account_id:{firm.account_id}", f"domain:{domain}")
    scene.say(_whole_second(at), "crm", "profile_updated", NO_PERSON, rest, person=NOBODY, keys=keys)


def moved(scene: Scene, firm: Firm, person: Person, at: int) -> None:
    """The CRM tells of a new job; mail to the old address comes back."""
    crm_record(scene, firm, person, at)
    former = identifiers(("email", person.former))
    campaign = f',"campaign":{{"campaign_id":"{_MAILS[1]}","medium":"email","source":"scheldestroom"}}'
    sent = at + 3 * DAY_MS
    scene.say(sent, "email", "email_sent", former, campaign, person=person.number, by_person=False)
    scene.say(sent + 9_000, "email", "email_bounced", former, campaign, person=person.number, by_person=False)


def mails(scene: Scene, person: Person, topics: tuple[str, ...], since: int, until: int) -> None:
    """Newsletters to a person known since then: sent, perhaps opened, clicked and followed by a visit."""
    random = scene.random
    ids = seen_as(person, ("email", person.email))
    for _ in range(int(random() * 4)):
        at = scene.between(since + DAY_MS, until)
        name = _MAILS[int(random() * len(_MAILS))]
        campaign = f',"campaign":{{"campaign_id":"{name}","medium":"email","source":"scheldestroom"}}'
        scene.say(at, "email", "email_sent", ids, campaign, person=person.number, by_person=False)
        if random() < 0.45:
            at += 60_000 + int(random() * 2 * DAY_MS)
            scene.note("opened mail")
            scene.say(at, "email", "email_opened", ids, campaign, person=person.number)
            if random() < 0.4:
                _clicked(scene, person, at + 20_000, topics, campaign)
    if person.apart and random() < 0.5:
        scene.note("private mail that nobody can know")
        apart = identifiers(("email", person.apart))
        at = scene.between(since + DAY_MS, until)
        scene.say(at, "email", "email_clicked", apart, person=person.number)
    if random() < rates.TOLD_WITHDRAWAL:
        at = scene.between(since + DAY_MS, until)
        scene.say(at, "email", "unsubscribed", ids, person=person.number)
        withdrawn = ',"consent":{"marketing":false}'
        scene.say(at + 1_000, "email", "consent_withdrawn", ids, withdrawn, person=person.number)


def _clicked(scene: Scene, person: Person, at: int, topics: tuple[str, ...], campaign: str) -> None:
    ids = seen_as(person, ("email", person.email))
    topic = topics[0]
    rest = f",{words.PAGES[topic][1]}{campaign}"
    if scene.random() < rates.MACHINE:
        scene.note("click by a machine")
        rest += ',"actor":"machine"'
        scene.say(at, "email", "email_clicked", ids, rest, person=person.number, topic=topic, by_person=False)
        return
    scene.say(at, "email", "email_clicked", ids, rest, person=person.number, topic=topic)
    cookie = person.cookies[-1 if scene.random() < 0.4 else 0]
    landed = seen_as(person, ("email", person.email), ("anonymous_id", cookie))
    scene.pages(at + 3_000, landed, person.number, topics, 1)


def app_use(scene: Scene, person: Person, since: int, until: int) -> None:
    """The app: installed from a mail and logged in once, later only the device tells who it is."""
    device = ("device_id", person.device_id)
    at = scene.between(since + DAY_MS, until)
    seen = seen_as(person, ("user_id", person.user_id), ("email", person.email), device)
    person.linked = True
    for n in range(1 + int(scene.random() * 4)):
        scene.say(at, "app", "app_used", seen, person=person.number)
        at += (1 + n) * DAY_MS + int(scene.random() * DAY_MS)
        seen = seen_as(person, device)


def phone_call(scene: Scene, person: Person, at: int) -> None:
    """A call of which only the number is kept."""
    scene.note("only a telephone number")
    scene.say(
        _whole_second(at), "crm", "call_held", seen_as(person, ("phone", person.phone)), person=person.number
    )


def support_call(scene: Scene, person: Person, at: int) -> None:
    """A question to support, by somebody who leaves a mail address."""
    person.known = at if person.known is None else min(person.known, at)
    pairs = [("email", person.email)]
    if person.phone:
        pairs.append(("phone", person.phone))
    rest = ',"content":{"title":"Storing E17 na inbedrijfstelling","topic":"storingen"}'
    ids = seen_as(person, *pairs)
    scene.say(at, "support", "support_contacted", ids, rest, person=person.number, topic="storingen")


def meeting(scene: Scene, person: Person, at: int) -> None:
    """A visit of our salesman, from his calendar."""
    person.known = at if person.known is None else min(person.known, at)
    ids = seen_as(person, ("email", person.email))
    rest = f',{person.facts},"content":{{"topic":"kennismaking","content_id":"mtg-{person.number}-{at}"}}'
    scene.say(_whole_second(at), "crm", "meeting_held", ids, rest, person=person.number, topic="kennismaking")


def _known_at(person: Person, domain: str, at: int) -> bool:
    return person.known is not None and person.known < at and person.email.endswith(f"@{domain}")


def role_mailbox(scene: Scene, person: Person) -> None:
    """Somebody writes from the firm's shared mailbox, shortly after a visit of a known colleague."""
    assert person.known is not None
    scene.note("role mailbox")
    domain = person.email.partition("@")[2]
    mailbox = words.ROLE_MAILBOXES[int(scene.random() * len(words.ROLE_MAILBOXES))]
    ids = Ids(f'"identifiers":{{"email":"{mailbox}@{domain}"}}')
    at = person.known + int(scene.random() * DAY_MS)
    scene.say(at, "email", "form_submitted", ids, person=person.number, keys=(f"domain:{domain}",))


def order(scene: Scene, firm: Firm | None, person: Person, at: int) -> None:
    """An order: told by the ERP where that knows the firm, perhaps without the person, else by the shop."""
    random = scene.random
    sku, family, price = words.PRODUCTS[int(random() * len(words.PRODUCTS))]
    quantity = 1 + int(random() ** 2 * 40)
    value = f"{price * quantity:.2f}"
    line = f'{{"sku":"{sku}","product_family":"{family}","quantity":{quantity},"value":{value}}}'
    commerce = f'"order_id":"SO-{scene.number + 1}","value":{value},"currency":"EUR","lines":[{line}]'
    rest = f',"commerce":{{{commerce}}}'
    at = _whole_second(at)
    if firm is None or not firm.customer_number:
        person.known = at if person.known is None else min(person.known, at)
        ids = seen_as(person, ("email", person.email), ("anonymous_id", person.cookies[0]))
        scene.say(at, "web", "order_placed", ids, rest, person=person.number)
        return
    if random() < 0.4 and any(_known_at(colleague, firm.domains[0], at) for colleague in firm.people):
        scene.note("order of the firm, without a person")
        ids = NO_PERSON
    else:
        person.known = at if person.known is None else min(person.known, at)
        ids = seen_as(person, ("email", person.email))
    number, vat = firm.customer_number, firm.vat_number
    keys = (f"customer_number:{number}", f"vat_number:{vat}", f"domain:{firm.domains[0]}")
    if random() < rates.ODD_SPELLING:
        number, vat = f"{number[:3]}.{number[3:]}", f"nl {vat[2:6]}.{vat[6:]}"
    account = (
        f'"customer_number":"{number}","vat_number":"{vat}","domain":"{firm.domains[0]}","name":"{firm.name}"'
    )
    scene.say(
        at, "erp", "order_placed", ids, f',"account":{{{account}}}{rest}', person=person.number, keys=keys
    )
