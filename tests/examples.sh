#!/usr/bin/env bash
# The worked examples through the real pipeline: as they are, shuffled, duplicated, without what people say.
set -euo pipefail
cd "$(dirname "$0")/.."
check=../shared/examples/check
"$check" --journeys .venv/bin/journeys # each in a data directory of its own
for how in "" "--shuffle 7" "--duplicate" "--no-side"; do
    # shellcheck disable=SC2086
    "$check" --journeys .venv/bin/journeys --together $how
done
