#!/usr/bin/env bash
# The worked examples through the real pipeline: as they are, shuffled, duplicated.
set -euo pipefail
cd "$(dirname "$0")/.."
check=../shared/examples/check
groups=counts,contacts,accounts,touches,attribution,members,stages,journeys,corrections
for how in "" "--shuffle 7" "--duplicate"; do
    # shellcheck disable=SC2086
    "$check" --journeys .venv/bin/journeys --together --only "$groups" $how
done
