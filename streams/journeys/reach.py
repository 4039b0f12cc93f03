"""Whether a person may be approached by e-mail or phone, and why, in words for who has to do it.

A purpose is refused when the latest word of any of the person's identifiers is a refusal, else given when one
gave it; a `legitimate` one need not have been given. Who asked for a demo, a quote or a call may be
approached about that, unless that person said no later. Mail needs an address that has not bounced since the
person's last touch, a call a number.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.internal import Word, kind_of
from schemas.times import day_text

CHANNELS: Final = ("email", "phone")  # purposes of consent to be approached
_NAMES: Final = {"email": "e-mail", "phone": "phone"}
_LACKS: Final = {"email": "no e-mail address known", "phone": "no phone number known"}


class Known(NamedTuple):
    """What counts for approaching a person; times in ms, ascending."""

    addresses: Collection[str]  # `email:…`
    numbers: Collection[str]  # `phone:…`
    words: Mapping[str, Mapping[str, Sequence[Word]]]  # identifier -> purpose -> what was said of it
    bounces: Mapping[str, Sequence[int]] = {}  # identifier of the fragment -> bounced mail
    seen: Sequence[int] = ()  # touches by the person


class Reach(NamedTuple):
    """How a person may be approached."""

    email: bool
    phone: bool
    why: str  # or why not, of both

    @property
    def reachable(self) -> bool:
        """Whether at all."""
        return self.email or self.phone


class _Said(NamedTuple):
    """What holds of a purpose: given, refused, or (None) never spoken of; and since when, ms."""

    given: bool | None
    at: int


def approachable(
    legitimate: Collection[str],
    words: Mapping[str, Mapping[str, Sequence[Word]]],
    at: int,
    asked: int | None = None,
) -> set[str]:
    """The purposes of `CHANNELS` that consent allows at a time (ms); `asked`: when the person made a request.

    >>> words = {"email:j@x.nl": {"email": [(10, True), (30, False)]}, "user_id:7": {"phone": [(20, True)]}}
    >>> sorted(approachable((), words, 25)), sorted(approachable((), words, 30))
    (['email', 'phone'], ['phone'])
    >>> sorted(approachable(["email"], {}, 25)), sorted(approachable([], words, 40, asked=35))
    (['email'], ['email', 'phone'])
    """
    allowed = set()
    for purpose in CHANNELS:
        given = _said(words, purpose, at, asked).given
        if given or (given is None and (asked is not None or purpose in legitimate)):
            allowed.add(purpose)
    return allowed


def ways(legitimate: Collection[str], known: Known, at: int, asked: int | None = None) -> set[str]:
    """As `reach`, without saying why: the channels."""
    return {way for way in CHANNELS if _channel(way, legitimate, known, at, asked)[0]}


def reach(
    legitimate: Collection[str],
    known: Known,
    at: int,
    day_of: Callable[[int], int],
    asked: int | None = None,
) -> Reach:
    """How the person may be approached at a time (ms), and why.

    `day_of` gives the number of the day that a time falls on; `asked` is when the person made a request,
    where it is about that.

    >>> jo = Known(["email:jo@acme.nl"], [], {"email:jo@acme.nl": {"email": [(1739346910000, True)]}})
    >>> reach((), jo, 1741717200000, lambda at: at // 86_400_000)
    Reach(email=True, phone=False, why='said yes to e-mail on 2025-02-12; no phone number known')
    """
    email, why_email = _channel("email", legitimate, known, at, asked)
    phone, why_phone = _channel("phone", legitimate, known, at, asked)
    return Reach(email, phone, _sentence(why_email, why_phone, day_of))


_Why = tuple[str, int | None]  # words, with {} for the channel; when, ms


def _channel(
    purpose: str, legitimate: Collection[str], known: Known, at: int, asked: int | None
) -> tuple[bool, _Why]:
    given, since = _said(known.words, purpose, at, asked)
    lines = known.addresses if purpose == "email" else known.numbers
    if given is False:
        return False, ("unsubscribed from {}" if purpose == "email" else "said no to {}", since)
    if not lines:
        return False, (_LACKS[purpose], None)
    if given is None and asked is None and purpose not in legitimate:
        return False, ("was never asked about {}", None)
    if purpose == "email" and (bounced := _bounced(known, at)) is not None:
        return False, ("address bounced", bounced)
    if given:
        return True, ("said yes to {}", since)
    return (
        (True, ("made a request", asked))
        if asked is not None
        else (True, ("may be approached by {} unasked", None))
    )


def _said(
    words: Mapping[str, Mapping[str, Sequence[Word]]], purpose: str, at: int, asked: int | None
) -> _Said:
    """The latest word of each identifier at or before `at`; a refusal before the request does not count."""
    yes = no = None
    for told in words.values():
        said = told.get(purpose)
        if said is None:
            continue
        place = bisect_right(said, (at, True))
        if not place:
            continue
        when, given = said[place - 1]
        if given:
            yes = when if yes is None or when > yes else yes
        elif (asked is None or when > asked) and (no is None or when > no):
            no = when
    if no is not None:
        return _Said(False, no)
    return _Said(True, yes) if yes is not None else _Said(None, 0)


def _bounced(known: Known, at: int) -> int | None:
    """When the last address that worked bounced, ms; None: there is one that has not since the last touch.

    What bounced under another identifier (a CRM id) counts for all addresses: nobody says for which.
    """
    if not known.bounces:
        return None
    place = bisect_right(known.seen, at)
    seen = known.seen[place - 1] if place else -1
    any_of = [_last(times, at) for name, times in known.bounces.items() if kind_of(name) != "email"]
    nameless = max(any_of, default=-1)
    last = [max(nameless, _last(known.bounces.get(address, ()), at)) for address in known.addresses]
    return max(last) if min(last) > seen else None


def _last(times: Sequence[int], at: int) -> int:
    place = bisect_right(times, at)
    return times[place - 1] if place else -1


def _sentence(email: _Why, phone: _Why, day_of: Callable[[int], int]) -> str:
    if email == phone:
        between = " or " if email[0].startswith("was never") else " and "
        return _clause(email, between.join(_NAMES.values()), day_of)
    return f"{_clause(email, _NAMES['email'], day_of)}; {_clause(phone, _NAMES['phone'], day_of)}"


def _clause(why: _Why, channel: str, day_of: Callable[[int], int]) -> str:
    words, at = why
    text = words.format(channel)
    return text if at is None else f"{text} on {day_text(day_of(at))}"
