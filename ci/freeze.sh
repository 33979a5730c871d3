#!/usr/bin/env bash
# Prepares what start-up needs of the library of a prefix: the import bootstrap as marshalled code, and byte code. usage: ci/freeze.sh PREFIX SOURCE
set -euo pipefail
TAIPAN_NO_FROZEN_CACHE=1 "$1/bin/python3" -I -S -c 'import _imp, sys; _imp._write_frozen_cache(sys.argv[1])' "$2/Modules/getpath.py"
# Byte code of the library, as every installation of Python has it.
env -u PYTHONDONTWRITEBYTECODE "$1/bin/python3" -I -m compileall -q -x '/(test|tests|idlelib|turtledemo)/' "$1/lib/python3.13" >/dev/null || true
