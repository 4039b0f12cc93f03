-- Who came back after an erasure.

ALTER TABLE accounts
    ADD COLUMN IF NOT EXISTS anew Map(UInt64, Int64) COMMENT 'keyed hashes of identifiers of which all before a time is erased, as the profile knows: that time, ms since 1970';
