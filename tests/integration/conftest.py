"""The embedded ClickHouse, once per module that asks for it."""

import threading
from collections.abc import Iterator

import pytest
from chdb_process import ChdbServer
from warehouse import Warehouse

from streams import clickhouse


@pytest.fixture(scope="module")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbServer]:
    with ChdbServer(tmp_path_factory.mktemp("chdb")) as server:
        yield server


@pytest.fixture(scope="module")
def dsn(chdb: ChdbServer) -> str:
    clickhouse.wait_until_up(chdb.dsn, 10)
    both = [threading.Thread(target=clickhouse.migrate, args=(chdb.dsn,)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    return chdb.dsn


@pytest.fixture
def at(dsn: str, request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    return Warehouse(dsn, request.function.__name__)
