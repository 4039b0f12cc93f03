"""One spelling for the values of facts: numbers, countries, languages, yes or no, money, channels.

Sources write `1.200`, `1,200` or 1200.0 for one number of people, and `Nederland`, `NLD` or `nl` for one
country. What is written in no way that is known here is left to be shown as text.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from streams.definition.model import FactKind

LONGEST: Final = 256  # characters of a value that are kept
_LARGEST: Final = Decimal(10) ** 15

_json = msgspec.json.Encoder(order="sorted").encode


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# What forms and imports write where nobody answered.
_NO_ANSWER: Final = frozenset(("", "-", "--", "?", "n/a", "unknown", "onbekend", "null", "undefined", "nan"))

_SPACES: Final = re.compile(r"[\s\u00a0\u202f'’_]+")
_GROUPED: Final = re.compile(r"([+-]?[1-9]\d{0,2}(?:([.,])\d{3})(?:\2\d{3})*)(?:(?!\2)[.,](\d+|-))?")
_PLAIN: Final = re.compile(r"([+-]?\d+)(?:[.,](\d+|-))?")
_MONEY: Final = re.compile(r"([^\d.,+-]*)([+-]?\d[\d\s\u00a0\u202f.,'’_]*-?)([^\d]*)")

_TAG: Final = re.compile(r"([A-Za-z]{2})(?:[-_][A-Za-z0-9]{2,8})*")  # of a language: nl, nl-NL, zh-Hant-TW

_TIMES: Final = {
    **dict.fromkeys(("k", "duizend", "thousand", "tsd"), 10**3),
    **dict.fromkeys(("m", "mln", "mio", "miljoen", "million"), 10**6),
    **dict.fromkeys(("mrd", "mld", "bn", "miljard"), 10**9),
}
_CURRENCIES: Final = {
    **{
        code.lower(): code
        for code in _words("""
            AED AUD BGN BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW MAD MXN MYR NOK NZD
            PHP PLN RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD ZAR
        """)
    },
    "€": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "us$": "USD", "£": "GBP",
}  # fmt: skip

_YES: Final = frozenset(_words("true yes y ja j oui si waar wahr 1 1.0 on aan"))
_NO: Final = frozenset(_words("false no n nee nein non onwaar falsch 0 0.0 off uit"))

_CHANNELS: Final = {
    **dict.fromkeys(("email", "mail", "e mail", "per mail", "per e mail", "by e mail", "by email"), "email"),
    **dict.fromkeys(
        ("phone", "telefoon", "telephone", "tel", "telefonisch", "by phone", "bellen", "call", "mobile"),
        "phone",
    ),
    **dict.fromkeys(("web", "website", "online", "app"), "web"),
    **dict.fromkeys(("post", "brief", "letter", "by post", "per post"), "post"),
    **dict.fromkeys(("meeting", "visit", "bezoek", "afspraak", "in person"), "meeting"),
}

# ISO 639-1
_LANGUAGES: Final = frozenset(
    _words("""
        aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da
        de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz
        ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln
        lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi
        pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti
        tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """)
)
_LANGUAGE_NAMES: Final = {
    name: code
    for code, names in {
        "nl": "nederlands dutch nld dut vlaams flemish niederlandisch neerlandais",
        "en": "english engels eng englisch anglais",
        "de": "deutsch german duits deu ger allemand",
        "fr": "francais french frans fra fre franzosisch",
        "es": "espanol spanish spaans spa",
        "it": "italiano italian italiaans ita",
        "pl": "polski polish pools pol",
        "pt": "portugues portuguese portugees por",
        "da": "dansk danish deens dan",
        "sv": "svenska swedish zweeds swe",
        "no": "norsk norwegian noors nor",
        "tr": "turkce turkish turks tur",
    }.items()
    for name in _words(names)
}

# Names that the list of ISO 3166 does not have: Dutch, German, French, short and formal ones; alpha-3.
_COUNTRY_NAMES: Final = {
    name.strip(): code
    for code, names in {
        "NL": "nederland, nld, holland, the netherlands, niederlande, pays bas, koninkrijk der nederlanden",
        "BE": "belgie, bel, belgique, belgien, vlaanderen",
        "DE": "duitsland, deu, deutschland, allemagne, brd",
        "FR": "frankrijk, fra, frankreich",
        "GB": "verenigd koninkrijk, gbr, uk, united kingdom, great britain, groot brittannie, engeland",
        "IE": "ierland, irl, republic of ireland",
        "LU": "luxemburg, lux, letzebuerg",
        "ES": "spanje, esp, espana, spanien",
        "PT": "prt, portugal",
        "IT": "italie, ita, italia, italien",
        "AT": "oostenrijk, aut, osterreich, autriche",
        "CH": "zwitserland, che, schweiz, suisse",
        "DK": "denemarken, dnk, danmark, danemark",
        "SE": "zweden, swe, sverige, schweden",
        "NO": "noorwegen, nor, norge, norwegen",
        "FI": "fin, suomi, finnland",
        "IS": "ijsland, isl",
        "PL": "polen, pol, polska",
        "CZ": "tsjechie, cze, czechia, tschechien",
        "SK": "slowakije, svk",
        "HU": "hongarije, hun, ungarn",
        "RO": "roemenie, rou, rumanien",
        "BG": "bulgarije, bgr",
        "GR": "griekenland, grc, el, hellas, griechenland",
        "HR": "kroatie, hrv",
        "SI": "slovenie, svn",
        "EE": "estland, est",
        "LV": "letland, lva",
        "LT": "litouwen, ltu",
        "TR": "turkije, tur, turkiye, turkei",
        "UA": "oekraine, ukr",
        "US": "verenigde staten, usa, united states of america, u s a, amerika, america, vs",
        "CA": "can",
        "CN": "chn",
        "JP": "jpn",
        "IN": "ind",
        "AU": "aus, australie",
        "BR": "bra, brazilie",
        "ZA": "zaf, zuid afrika",
        "MA": "marokko, mar",
        "CW": "cuw, curacao",
        "SR": "sur",
    }.items()
    for name in names.split(",")
}


def standard(kind: FactKind, value: Any) -> str:
    """The value in its one spelling, what is no text as JSON; empty: it says nothing.

    >>> [standard("number", told) for told in ("1.200", "1,200", 34.0, "34", "50-100")]
    ['1200', '1200', '34', '34', '50-100']
    >>> standard("country", "Nederland"), standard("language", "nl-NL"), standard("yes_no", "ja")
    ('NL', 'nl', 'true')
    >>> standard("money", "€ 1,2 mln"), standard("money", 50000), standard("text", "  Acme   B.V. ")
    ('1200000 EUR', '50000', 'Acme B.V.')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        value = " ".join(value.split())
        if value.lower() in _NO_ANSWER:
            return ""
    reader = _READERS.get(kind)
    too_long = isinstance(value, str) and len(value) > LONGEST
    found = reader(value) if reader and not too_long else None
    if found is None:
        found = value if isinstance(value, str) else _json(value).decode()
    return found if len(found) <= LONGEST else found[: LONGEST - 1] + "…"


def _number(value: Any) -> str | None:
    found = _decimal(value)
    return None if found is None else _digits(found)


def _decimal(value: Any) -> Decimal | None:
    """The number that is meant; a point or comma before three digits separates thousands."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = _SPACES.sub("", value) if isinstance(value, str) else repr(value)
    if match := _GROUPED.fullmatch(text) if isinstance(value, str) else None:
        whole, decimals = re.sub("[.,]", "", match[1]), match[3]
    elif match := _PLAIN.fullmatch(text):
        whole, decimals = match[1], match[2]
    else:
        return None
    found = Decimal(f"{whole}.{decimals}" if decimals and decimals != "-" else whole)
    return found if abs(found) < _LARGEST else None


def _digits(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _country(value: Any) -> str | None:
    return _countries().get(_folded(value)) if isinstance(value, str) else None


@cache
def _countries() -> Mapping[str, str]:
    """Codes and names, folded -> ISO 3166 alpha-2."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    found = {}
    for code, name in rows:
        found[_folded(name)] = found[code.lower()] = code
    return {**found, **_COUNTRY_NAMES}


def _language(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    tag = _TAG.fullmatch(value)
    if tag and tag[1].lower() in _LANGUAGES:
        return tag[1].lower()
    return _LANGUAGE_NAMES.get(_folded(value))


def _yes_no(value: Any) -> str | None:
    text = str(value).lower() if isinstance(value, bool | int | float | str) else ""
    return "true" if text in _YES else "false" if text in _NO else None


def _money(value: Any) -> str | None:
    """Amount and currency; without currency where none is told."""
    if isinstance(value, dict):
        amount, currency = _decimal(value.get("value", value.get("amount"))), value.get("currency") or ""
        code = _CURRENCIES.get(currency.lower()) if isinstance(currency, str) else None
        return None if amount is None or (currency and code is None) else _priced(amount, code or "")
    if not isinstance(value, str):
        return _number(value)
    match = _MONEY.fullmatch(value)
    amount = _decimal(match[2]) if match else None
    if match is None or amount is None:
        return None
    currency = ""
    for word in f"{match[1]} {match[3]}".lower().replace("€", " € ").split():
        if (times := _TIMES.get(word.rstrip("."))) is not None:
            amount *= times
        elif word in _CURRENCIES and not currency:
            currency = _CURRENCIES[word]
        else:
            return None
    return _priced(amount, currency)


def _priced(amount: Decimal, currency: str) -> str:
    return f"{_digits(amount)} {currency}".rstrip()


def _channel(value: Any) -> str | None:
    return _CHANNELS.get(_folded(value)) if isinstance(value, str) else None


def _folded(text: str) -> str:
    """In lower case, without accents; what is neither letter nor digit is a space."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c if c.isalnum() else "" if unicodedata.combining(c) else " " for c in plain)
    return " ".join(kept.split())


_READERS: Final[Mapping[FactKind, Callable[[Any], str | None]]] = {
    "number": _number,
    "country": _country,
    "language": _language,
    "yes_no": _yes_no,
    "money": _money,
    "channel": _channel,
}
