"""Which roles a job title tells, in Dutch and English: rules over the tables of `vocabulary`.

A title is cut at slashes, commas and *and* into parts, each read on its own: its head (hoofd, monteur) with
its field (inkoop, IT) looks up the roles. A part with a field alone takes the head of its neighbour
(*Purchasing & Logistics Manager*, *Director, Engineering*). What follows *of*, *to*, *van* names a field,
never a head: who assists or writes for a director is no director. Unknown words say nothing: no role rather
than a wrong one.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from streams.journeys.vocabulary import (
    ABBREVIATIONS,
    ASSISTED,
    CANCEL,
    FIELD_ORDER,
    FIELDS,
    HEADS,
    LESS,
    NAMES,
    PREPOSITIONS,
    RULES,
)

LONGEST = 200  # characters of a title that are read

Further = tuple[tuple[str, tuple[str, ...]], ...]  # role, or `none` -> titles


class Heard(NamedTuple):
    """A role that a title tells, how certain (up to 1), and the words that decided."""

    role: str
    certainty: float
    words: str


class _Word(NamedTuple):
    text: str
    head: str  # of HEADS; empty: none
    field: str  # of FIELDS; empty: none


class _Part(NamedTuple):
    told: list[Heard]  # by titles of the definition: nothing else of the part counts
    words: list[_Word]  # heads and fields up to the first preposition
    beyond: list[_Word]  # and after it
    of: bool  # there is one
    cancelled: bool
    less: bool  # junior, deputy
    joined: str  # how the part begins: `,` `/` `&`

    @property
    def heads(self) -> list[_Word]:
        return [word for word in self.words if word.head]

    @property
    def fields(self) -> list[_Word]:
        return [word for word in (*self.words, *self.beyond) if word.field]


def role_of(title: str, further: Further = ()) -> tuple[Heard, ...]:
    """The roles that a title tells, none for most; the titles of `further` (of a definition) go first.

    >>> role_of("Hoofd Inkoop")
    (Heard(role='buyer', certainty=1.0, words='hoofd inkoop'),)
    >>> [heard.role for heard in role_of("Eigenaar / planner")]
    ['decider', 'user']
    >>> role_of("Managing Director’s secretary")
    (Heard(role='gatekeeper', certainty=1.0, words='secretary'),)
    >>> role_of("office manager")
    ()
    >>> role_of("office manager", (("user", ("Office manager",)),))
    (Heard(role='user', certainty=1.0, words='office manager'),)
    """
    return _role_of(title[:LONGEST], further)


def named(value: Any) -> tuple[str, ...]:
    """The roles that a CRM field names, one text or several, apart by `;` or `,` or in a list.

    >>> named("Decision Maker; End User")
    ('decider', 'user')
    >>> named("Contact"), named(None)
    ((), ())
    """
    texts = value if isinstance(value, list) else [value]
    told = (part for text in texts if isinstance(text, str) for part in re.split("[;,/]", text))
    roles = (_NAMES.get(_key(part.replace("_", " "))) for part in told)
    return tuple(dict.fromkeys(role for role in roles if role))


@lru_cache(maxsize=8192)
def _role_of(title: str, further: Further) -> tuple[Heard, ...]:
    own = _own(further)
    told = _listed(title, own) or [heard for part in _parts(title, own) for heard in _read(part)]
    best: dict[str, Heard] = {}
    for one in told:
        if one.role != "none" and (one.role not in best or one.certainty > best[one.role].certainty):
            best[one.role] = one
    return tuple(best.values())


@lru_cache(maxsize=16)
def _own(further: Further) -> Mapping[str, tuple[str, ...]]:
    """The titles of a definition, as they are looked up, with their roles."""
    roles: dict[str, tuple[str, ...]] = {}
    for role, titles in further:
        for title in titles:
            key = _key(title)
            roles[key] = (*roles.get(key, ()), role)
    return roles


def _listed(title: str, own: Mapping[str, tuple[str, ...]]) -> list[Heard]:
    if not own:
        return []
    key = _key(title)
    return [Heard(role, 1.0, key) for role in own.get(key, ())]


def _key(title: str) -> str:
    return " ".join(re.findall(r"\w+", _plain(title)))


def _plain(text: str) -> str:
    """Lower-case, without accents."""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def _tokens(text: str) -> list[str]:
    """The words of plain text, abbreviations written in full."""
    return " ".join(ABBREVIATIONS.get(token, token) for token in re.findall(r"\w+", text)).split()


def _table() -> dict[str, _Word]:
    words: dict[str, _Word] = {}
    for kind, entries in HEADS.items():
        for entry in entries:
            words[entry] = _Word(entry, kind, "")
    for kind, entries in FIELDS.items():
        for entry in entries:
            words[entry] = words.get(entry, _Word(entry, "", ""))._replace(field=kind)
    return words


_NAMES = {name: role for role, names in NAMES.items() for name in names}
_WORDS = _table()
_MOST = max(entry.count(" ") + 1 for entry in _WORDS)  # words of an entry
# What a compound may end in, and what else of it says the field. Short words are the end of too many others,
# and who steers (bestuurder) or has a share (partner) in something need not be a decider.
_HEAD_ENDS = {
    word.text: word.head
    for word in sorted(_WORDS.values(), key=lambda word: -len(word.text))
    if word.head and " " not in word.text and (len(word.text) > 4 or word.text == "chef")
    and (word.head != "owner" or word.text == "eigenaar")
}  # fmt: skip
_STEMS = {
    word.text: word.field
    for word in sorted(_WORDS.values(), key=lambda word: -len(word.text))
    if word.field in ("buy", "sell", "money", "make", "staff") and " " not in word.text and len(word.text) > 4
}

_SEX = re.compile(r"\(?(?<![\w/])[mvfhwdx](?:\s?/\s?[mvfhwdx])+(?![\w/])\)?")
_LETTERS = re.compile(r"(?<!\w)\w(?:\.\w)+(?!\w)\.?")  # c.e.o.
_PAIR = re.compile(r"(?<!\w)(\w)\s?&\s?(\w)(?!\w)")  # R&D
_FIRM = re.compile(r"\s(?:at|bij)\s|@")  # what follows names it
_CUT = re.compile(r"([/|+;:]|[,()]|(?<=\s)[-–—](?=\s)|&|(?<!\w)(?:en|and|et)(?!\w))")
_OWNED = re.compile(r"\w['’`´]s?\s")


def _parts(title: str, own: Mapping[str, tuple[str, ...]]) -> list[_Part]:
    """The parts of a title that say something; a part with fields alone has the head of its neighbour."""
    text = _SEX.sub(" ", _plain(title).replace("v/d", "vd"))
    text = _LETTERS.sub(lambda letters: letters[0].replace(".", ""), text)
    text = _FIRM.split(_PAIR.sub(r"\1n\2", text))[0]
    parts: list[_Part] = []
    joined = ","
    for piece in _CUT.split(text):
        if _CUT.fullmatch(piece):
            joined = "/" if piece in "/|+;:" else "," if piece in ",()-–—" else "&"
            continue
        part = _part(piece, joined, _listed(piece, own))
        before = parts[-1] if parts else None
        if before is not None and joined != "/" and before.of and _serves(before):
            continue  # one more for whom a secretary works
        if before is not None and joined == "," and before.heads and not before.fields and not part.heads:
            parts[-1] = before._replace(beyond=[*before.beyond, *part.words, *part.beyond], of=True)
        elif part.told or part.words or part.beyond or part.cancelled:
            parts.append(part)
    return [_with_head(part, parts[i + 1 :], parts[:i]) for i, part in enumerate(parts)]


def _part(piece: str, joined: str, told: list[Heard]) -> _Part:
    tokens = _tokens(piece)
    words: list[_Word] = []
    beyond: list[_Word] = []
    of = less = False
    cancelled = tokens[-1:] == ["intern"]  # elsewhere it is Dutch for internal
    i = 0
    while i < len(tokens):
        size, word = _longest(tokens, i)
        i += size
        if word.head or word.field:
            (beyond if of else words).append(word)
        of |= word.text in PREPOSITIONS
        cancelled |= word.text in CANCEL
        less |= word.text in LESS
    if _OWNED.search(piece) and words and words[-1].head in ("assistant", "keeper"):
        words = [words[-1]._replace(head="keeper")]  # the director's
    return _Part(told, _chiefs(words), beyond, of, cancelled, less, joined)


def _longest(tokens: list[str], i: int) -> tuple[int, _Word]:
    """The longest entry of the tables that begins at a token, else the token itself: (tokens, word)."""
    for size in range(min(_MOST, len(tokens) - i), 0, -1):
        if (word := _WORDS.get(" ".join(tokens[i : i + size]))) is not None:
            return size, word
    return 1, _compound(tokens[i])


@lru_cache(maxsize=8192)
def _compound(token: str) -> _Word:
    """A word that no table has, by what it ends in and what it is made of.

    >>> _compound("verkoopleider")
    _Word(text='verkoopleider', head='lead', field='sell')
    """
    if token in PREPOSITIONS or token in CANCEL or token in LESS:
        return _Word(token, "", "")
    ends = [end for end in _HEAD_ENDS if token.endswith(end)]
    for end in (*ends, ""):  # verkoop-leider, not verk-opleider: the first that leaves a field
        if field := _field(token.removesuffix(end)):
            return _Word(token, _HEAD_ENDS.get(end, ""), field)
    return _Word(token, _HEAD_ENDS[ends[0]] if ends else "", "")


def _field(stem: str) -> str:
    for whole in (stem, stem.removesuffix("s")):
        if whole in _WORDS and _WORDS[whole].field:
            return _WORDS[whole].field
    return next((field for text, field in _STEMS.items() if stem.startswith(text) or stem.endswith(text)), "")


def _chiefs(words: list[_Word]) -> list[_Word]:
    """A chief … officer is one head."""
    texts = [word.text for word in words]
    if "chief" not in texts or "officer" not in texts:
        return words
    chief = _Word("chief officer", "owner", "")
    return [chief if word.text == "chief" else word for word in words if word.text != "officer"]


_NEEDY = (
    "lead",
    "vice",
    "director",
    "expert",
    "specialist",
    "worker",
    "assistant",
)  # the field says what they are


def _with_head(part: _Part, after: list[_Part], before: list[_Part]) -> _Part:
    if part.heads or not part.words:
        return part
    for other in (*after, *reversed(before)):
        if other.heads:
            needy = [word._replace(field="") for word in other.heads if word.head in _NEEDY]
            if needy and other.fields:
                return part._replace(words=[*needy, *part.words], of=other.of, less=other.less)
    return part


def _serves(part: _Part) -> bool:
    return any(word.head in ("assistant", "keeper") for word in part.heads)


def _read(part: _Part) -> list[Heard]:
    """The roles that a part of a title tells."""
    heads = part.heads
    kinds = [word.head for word in heads]
    if part.told or part.cancelled:
        return part.told
    fields = part.fields
    field = min((word.field for word in fields), key=FIELD_ORDER.index, default="")
    if "keeper" in kinds:
        keeper = heads[kinds.index("keeper")]
        return [Heard("gatekeeper", 1.0, keeper.text)]
    if "nobody" in kinds:
        return []
    assisted = "assistant" in kinds
    if assisted and _for_whom(part, kinds):
        return [Heard("gatekeeper", 0.9, " ".join(word.text for word in (*part.words, *part.beyond)))]
    if assisted and len(set(kinds)) > 1:
        heads = [word for word in heads if word.head != "assistant"]
    else:
        assisted = False
    heard = []
    for head in heads or [_Word("", "", "")]:
        kind = head.head
        if kind == "director" and (part.of or _leads(part, head)):
            kind = "director of"
        words = " ".join(w.text for w in (*part.words, *part.beyond) if w is head or w.field == field != "")
        for role, certainty in RULES.get((kind, field), RULES.get((kind, "*"), ()) if kind else ()):
            if assisted:
                heard.append(
                    Heard(ASSISTED.get(role, role), round(certainty * 0.7, 2), f"assistant: {words}")
                )
            else:
                heard.append(Heard(role, round(certainty * 0.7, 2) if part.less else certainty, words))
    return heard


def _for_whom(part: _Part, kinds: list[str]) -> bool:
    """Whether an assistant is somebody's: of a director (before or after), or of whoever is named."""
    bosses = [i for i, kind in enumerate(kinds) if kind in ("owner", "director")]
    if bosses and bosses[0] < kinds.index("assistant"):
        return True
    return any(word.head or word.field == "board" for word in part.beyond)


def _leads(part: _Part, head: _Word) -> bool:
    """Whether the field follows: the English *Director Engineering* is a director of engineering."""
    i = part.words.index(head)
    return head.text == "director" and i + 1 < len(part.words) and bool(part.words[i + 1].field)
