"""How often each difficulty of the simulated market happens, and its size in time; rates are fractions."""

from typing import Final

from schemas.times import DAY_MS, from_rfc3339

HOUR_MS: Final = 3_600_000
START_MS: Final = from_rfc3339("2024-01-01T00:00:00Z")  # first possible event
END_MS: Final = from_rfc3339("2025-12-31T23:59:59Z")  # last possible event
OPENINGS_MS: Final = END_MS - START_MS - 30 * DAY_MS  # new stories begin within this time

# what a story is about (the rest are firms with a buying group)
PASSER_BY: Final = 0.45  # a cookie that never identifies itself; many, but of a few visits each
HOUSEHOLD: Final = 0.05  # one or two people with private mail only
FAIR: Final = 0.006  # a tablet at a trade fair that people of four or more firms use

# firms
GROUP_SIZES: Final = (
    1,
    1,
    2,
    2,
    2,
    3,
    3,
    3,
    4,
    4,
    5,
    6,
    7,
    8,
    10,
    12,
)  # people in a buying group, equally likely
FIRM_IN_CRM: Final = 0.75
FIRM_IN_ERP: Final = 0.5  # else its orders come from the shop
TWO_DOMAINS: Final = 0.08
DOMAINS_JOINED: Final = 0.8  # of those: the CRM tells both of one account
JOB_CHANGE: Final = 0.06  # of firms in the CRM: somebody goes to another firm
SHARED_DEVICE: Final = 0.12  # of firms of two or more: two colleagues at one device
WAREHOUSE_PC: Final = 0.15  # of firms of five or more: four or more colleagues at one device
SECOND_JOURNEY: Final = 0.18  # the firm comes back after more than half a year
IDN: Final = 0.03  # of firms: a domain beyond ASCII, written in several ways
CONSULTANT: Final = 0.03  # of firms: somebody of another firm who works here, with addresses at both
MOVED_DOMAIN: Final = 0.3  # of two domains told by the CRM: it tells later that one is another firm's
CRM_DOUBLE: Final = 0.02  # of firms in the CRM: it has the firm twice, until a steward says so
ALIAS: Final = 0.5  # of two domains never told: a steward says that they are one firm's
ROLE_MAILBOX: Final = 0.15  # per journey: somebody writes from info@ or inkoop@

# people
ENGLISH: Final = 0.2
PERSON_IN_CRM: Final = 0.75  # of identified people of a firm in the CRM
PRIVATE_MAIL: Final = 0.05  # an employee who uses private mail only
SECOND_MAIL: Final = 0.05  # an employee who also uses private mail, at log-in (linked) …
UNLINKED_MAIL: Final = 0.02  # … or apart from everything else: nobody can know
SECOND_DEVICE: Final = 0.4
APP_USER: Final = 0.3
HAS_LOGIN: Final = 0.6
HAS_PHONE: Final = 0.35
TOLD_WITHDRAWAL: Final = 0.04  # withdraws consent to marketing

# what people say and ask for
REFUSED: Final = 0.03  # of known people: no profiling; some allow it again with a later form
BANNER: Final = 0.02  # of members: one cookie of theirs refuses profiling
ERASED: Final = 0.02  # of known people: ask to be erased …
COMES_BACK: Final = 0.3  # … and come back, as somebody new
WRONG_ADDRESS: Final = 0.04  # of groups: somebody types a colleague's address, until a steward parts the two
FAMILY_LOGIN: Final = 0.3  # of households of two: both use one log-in; a steward says that they are two
JOINED: Final = 0.5  # of private mail apart from everything else: a steward says whose it is
OWN_PHONE: Final = 0.3  # of telephones of which only calls are known: a steward says whose

# visits
STRANGER_VISIT: Final = 0.25  # on a shared device: a visit without log-in, taken for the last who logged in
LOGIN_VISIT: Final = 0.35  # a later visit of a known person begins with a log-in or a click in a mail
MACHINE: Final = 0.02  # of mail clicks: made by a mail gateway
WORTHLESS: Final = 0.003  # of lines: an identifier that means nothing
ODD_SPELLING: Final = 0.1  # of identifying forms: mail address and telephone written in another way

# arrival
DUPLICATE: Final = 0.01  # the same bytes once more, up to three days later
RESENT: Final = 0.05  # of anonymous visits of a known person: once more with a stronger identifier
BAD: Final = 0.003  # of lines: refused, for every reason that a line can give
LATE: Final = 0.01  # hours to three weeks late
REORDERED: Final = 0.04  # up to ten minutes late
LATE_MS: Final = 21 * DAY_MS
REORDERED_MS: Final = 600_000
USUAL_MS: Final = 5_000  # everything else arrives within this time
DUPLICATE_MS: Final = 3 * DAY_MS

# sizes
VISIT_PAGES: Final = (1, 1, 2, 2, 3, 3, 4, 6)  # touches per visit, equally likely
DEPTHS: Final = (
    0.3,
    0.55,
    0.72,
    0.82,
    0.92,
)  # chance that a journey goes no further than awareness, consideration, …
JOURNEY_DAYS: Final = (
    25,
    50,
    80,
    100,
    120,
    160,
)  # longest time from the first touch to the last milestone, by depth
