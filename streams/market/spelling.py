"""The same mail address, domain and telephone as different people and systems write them."""

from random import Random
from typing import Final
from unicodedata import normalize

IDN_SUFFIX: Final = "-süd"  # of domains beyond ASCII


def in_ascii(domain: str) -> str:
    """A domain as mail systems write it.

    >>> in_ascii("bos-süd.nl")
    'xn--bos-sd-7ya.nl'
    """
    return domain.encode("idna").decode()


def in_unicode(domain: str) -> str:
    """A domain as people write it.

    >>> in_unicode("xn--bos-sd-7ya.nl"), in_unicode("bos.nl")
    ('bos-süd.nl', 'bos.nl')
    """
    return domain.encode().decode("idna")


def email(rng: Random, address: str, name: str) -> str:
    """A mail address as typed or pasted by `name`; safe inside a JSON string."""
    local, _, domain = address.partition("@")
    if "xn--" in domain:
        domain = normalize("NFD" if rng.random() < 0.5 else "NFC", in_unicode(domain))
    address = f"{local}@{domain}"
    way = int(rng.random() * 5)
    return (
        address.title(),
        address.upper() if domain.isascii() else address,
        f" {address} ",
        f"mailto:{address}?subject=Offerte",
        f"{name} <{address}>",
    )[way]


def phone(rng: Random, number: str) -> str:
    """A Dutch mobile number in one of the ways in which it is written.

    >>> sorted({phone(Random(n), "+31612345678") for n in range(20)})
    ['+31 (0)6 12 34 56 78', '0031612345678', '06 12 34 56 78', '06-12345678', '06.1234.5678']
    """
    rest = number[4:]
    pairs = f"{rest[:2]} {rest[2:4]} {rest[4:6]} {rest[6:]}"
    return (
        f"06-{rest}",
        f"06 {pairs}",
        f"06.{rest[:4]}.{rest[4:]}",
        f"+31 (0)6 {pairs}",
        f"0031{number[3:]}",
    )[int(rng.random() * 5)]
