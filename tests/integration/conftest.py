"""The embedded ClickHouse, once per module that asks for it."""

from collections.abc import Iterator

import pytest
from chdb_process import ChdbServer


@pytest.fixture(scope="module")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbServer]:
    with ChdbServer(tmp_path_factory.mktemp("chdb")) as server:
        yield server
