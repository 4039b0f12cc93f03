"""What the transport relies on in aiokafka (pinned): of fetched bytes it makes our records at once."""

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams import transport
from streams.core import Record


def test_fetched_bytes_become_records() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000)
    builder.append(0, 1_738_570_324_050, b"key", b"value", [("name", b"1")])
    builder.append(1, 1_738_570_324_051, None, None, [])
    fetched = fetcher.PartitionRecords(
        tp=TopicPartition("topic", 3),
        records=MemoryRecords(bytes(builder.build())),
        aborted_transactions=None,
        fetch_offset=0,
        key_deserializer=None,
        value_deserializer=None,
        check_crcs=True,
        isolation_level=0,
    )

    records = list(fetched)

    assert records == [
        Record("topic", 3, 0, 1_738_570_324_050, b"key", b"value", (("name", b"1"),)),
        Record("topic", 3, 1, 1_738_570_324_051, None, None, ()),
    ]
    assert all(type(record) is Record for record in records)
    assert fetcher.PartitionRecords._consumer_record is transport._record
