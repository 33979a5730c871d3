#!/usr/bin/env bash
# Prepares what start-up needs of the library of a prefix: the import bootstrap as marshalled code. usage: ci/freeze.sh PREFIX
set -euo pipefail
TAIPAN_NO_FROZEN_CACHE=1 "$1/bin/python3" -I -S -c 'import _imp; _imp._write_frozen_cache()'
