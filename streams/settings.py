"""Settings: environment variables `JOURNEYS_*`. A bad value stops the start and names itself."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.message import DEFAULT_COUNTRY

if TYPE_CHECKING:
    from streams.definition import Definition

PREFIX = "JOURNEYS_"

NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,32}")  # no slash, and nothing that a number is written without


def _addresses(broker: str) -> str:
    """`kafka://host:port,host:port` or plain `host:port,…`; kept without the scheme."""
    hosts = broker.removeprefix("kafka://").split(",")
    for host in hosts:
        name, _, port = host.rpartition(":")
        if not name or not port.isdigit():
            raise ValueError(f"{host!r} is no host:port; write kafka://host:port,host:port")
    return ",".join(hosts)


def _dsn(text: str) -> str:
    url = urlsplit(text)
    if not url.scheme or not url.hostname or url.port == 0:
        raise ValueError("is no address of ClickHouse; write http(s)://user:password@host:port")
    return text


def _secret(text: str) -> str:
    """Of at most 64 bytes: more than that a keyed hash does not take."""
    if not 0 < len(text.encode()) <= 64:
        raise ValueError("must have 1 to 64 bytes in UTF-8")
    return text


def _table(given: object) -> dict[str, str]:
    """A JSON object of texts, as it stands in the environment."""
    try:
        table = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None
    if not isinstance(table, Mapping) or not all(isinstance(text, str) for text in table.values()):
        raise ValueError('is no JSON object of texts; write e.g. {"a": "b"}')
    return {key.strip(): text for key, text in table.items()}


def _by_source(table: dict[str, str]) -> dict[str, str]:
    return {source.lower(): text for source, text in table.items()}


def _zones(table: dict[str, str]) -> dict[str, str]:
    for source, zone in table.items():
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{zone!r}, of {source!r}, is no time zone; write e.g. Europe/Amsterdam"
            ) from None
    return _by_source(table)


def _namespaces(table: dict[str, str]) -> dict[str, str]:
    for source, namespace in table.items():
        if not NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"{namespace!r}, of {source!r}, is no namespace: 1 to 32 letters, digits, - and _"
            )
    return _by_source(table)


def _country(text: str) -> str:
    from schemas.identifiers import COUNTRIES  # slow to import, and seldom needed here

    country = text.strip().upper()
    if country not in COUNTRIES:
        raise ValueError(f"{text!r} is no country; write two letters as ISO 3166 has them, e.g. NL")
    return country


def _countries(table: dict[str, str]) -> dict[str, str]:
    return {tenant: _country(country) for tenant, country in table.items()}


@cache  # a process goes by the file as it was at its start
def _definition_in(path: Path) -> "Definition":
    from streams.definition import load  # slow to import, and seldom needed here

    return load(path.read_text(encoding="utf-8-sig"), str(path))


def _definition(given: Path) -> Path:
    """The path from the root, as processes that this one starts stand elsewhere."""
    from streams.definition import DefinitionError

    path = given.expanduser().absolute()
    try:
        _definition_in(path)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"is no text in UTF-8: {error.reason} at byte {error.start}") from None
    except DefinitionError as error:
        raise ValueError(f"cannot be used\n{error}") from None
    return path


Table = Annotated[dict[str, str], NoDecode, BeforeValidator(_table)]


class Settings(BaseSettings):
    """What one process is told. Every field is `JOURNEYS_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    broker: Annotated[str, AfterValidator(_addresses)] = Field(
        "127.0.0.1:9092", description="Kafka: kafka://host:port,…"
    )
    clickhouse: Annotated[str, AfterValidator(_dsn)] = Field(
        "http://127.0.0.1:8123",
        description="ClickHouse: a clickhouse-connect DSN, http(s)://user:password@host:port",
    )
    data_dir: Path = Field(Path("journeys-data"), description="data directory of the embedded stack")
    group: str = Field(
        "journeys", min_length=1, description="consumer group; also names the changelog topics"
    )
    partitions: int = Field(
        64, ge=1, le=1024, description="partitions of every topic; growing them is a rebuild"
    )
    replication: int = Field(
        1, ge=1, description="replication factor of topics that `journeys topics` creates"
    )
    hash_key: Annotated[str, AfterValidator(_secret)] = Field(
        "dmu-journeys", description="secret of the hashes that are record keys"
    )
    generation: int = Field(0, ge=0, description="generation of the broker's data; rises with a rebuild")
    state: Path | None = Field(
        None, description="keep state in this file instead of changelog topics (the embedded stack does)"
    )
    live: bool = Field(True, description="false: publish only at the drain, as `journeys run` does")
    tick_seconds: float = Field(60, gt=0, description="how often the clock is sent through the steps")
    settle_seconds: float = Field(
        2, ge=0, description="how long a joined account must be still before it is told"
    )
    commit_seconds: float = Field(1, gt=0, description="how often offsets are committed")
    session_timeout_seconds: float = Field(10, gt=0, description="after how long a silent worker is given up")
    rebalance_timeout_seconds: float = Field(
        30,
        gt=0,
        description="how long a rebalance waits for workers",
    )
    stall_seconds: float = Field(
        300, gt=0, description="a worker that reads nothing for so long, though there is more, ends itself"
    )
    web_port: int = Field(6066, ge=0, le=65535, description="loopback port of a worker's /status")
    trust_headers: bool = Field(
        False, description="tenant and source come from the headers journeys-tenant and journeys-source"
    )
    zones: Annotated[Table, AfterValidator(_zones)] = Field(
        {}, description="source -> time zone (IANA) of its times without offset, a JSON object"
    )
    namespaces: Annotated[Table, AfterValidator(_namespaces)] = Field(
        {},
        description="source -> namespace of its contact_id, account_id and customer_number, a JSON object; "
        "keeps the ids of two CRMs apart; never changes",
    )
    country: Annotated[str, AfterValidator(_country)] = Field(
        DEFAULT_COUNTRY, description="country (ISO 3166) of phone numbers without country code"
    )
    countries: Annotated[Table, AfterValidator(_countries)] = Field(
        {}, description="tenant -> the same, a JSON object"
    )
    device_policy: Literal["last_known", "anonymous"] = Field(
        "last_known",
        description="whose an anonymous touch on a known person's device is: that person's, or nobody's",
    )
    definition: Annotated[
        Annotated[Path, AfterValidator(_definition)] | None, BeforeValidator(lambda given: given or None)
    ] = Field(None, description="journeys.toml with what differs from the default definition")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="of the worker's log")

    @property
    def of_steps(self) -> dict[str, Any]:
        """What steps are told (`StepConfig.settings`)."""
        names = ("trust_headers", "zones", "namespaces", "country", "countries", "device_policy")
        told = {name: getattr(self, name) for name in names}
        return told if self.definition is None else {**told, "definition": self.rules}

    @property
    def rules(self) -> "Definition":
        """The journey definition that is in force."""
        from streams.definition import default

        return default() if self.definition is None else _definition_in(self.definition)


def address(dsn: str) -> str:
    """Host and port of a DSN, without who asks.

    >>> address("http://me:secret@host:8123/other")
    'host:8123'
    """
    return urlsplit(dsn).netloc.rpartition("@")[2]


def shown_value(settings: Settings, name: str) -> str:
    """A setting as it would be written in the environment; empty: nothing. Secrets are hidden.

    >>> shown_value(Settings(clickhouse="http://me:secret@host:8123"), "clickhouse")
    'http://me:…@host:8123'
    """
    value = getattr(settings, name)
    if name == "hash_key" and name in settings.model_fields_set:
        return "…"
    if name == "clickhouse" and (password := urlsplit(value).password):
        return str(value).replace(f":{password}@", ":…@", 1)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def explain(error: ValidationError) -> str:
    """One line per bad setting: which variable, what it was, what is wrong; more of a file.

    >>> try:
    ...     Settings(partitions=0)
    ... except ValidationError as error:
    ...     print(explain(error))
    JOURNEYS_PARTITIONS='0': Input should be greater than or equal to 1
    """
    return "\n".join(
        f"{PREFIX}{'_'.join(str(part) for part in problem['loc']).upper()}={str(problem['input'])!r}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )
