-- Of an erased event whose it was and when, so that it may be named again when it is erased no longer.

ALTER TABLE erased_touchpoints
    ADD COLUMN IF NOT EXISTS identifier_key UInt64 COMMENT 'keyed hash of the identifier whose it was; 0: an older row, it is erased for good',
    ADD COLUMN IF NOT EXISTS dated Int64 COMMENT 'when it happened, ms since 1970';
