#!/usr/bin/env bash
# Compiles extension modules of the library that Taipan has no Rust module for yet, from the archive's own unmodified C
# sources against the installed headers, into the prefix's lib-dynload. Modules that need a library which the machine
# doesn't have are left out, as CPython's own build does. usage: ci/extensions.sh PREFIX SOURCE OBJECTS
set -uo pipefail
prefix=$1 source=$2/Modules
include=$prefix/include/python3.13 dynload=$prefix/lib/python3.13/lib-dynload
suffix=.cpython-313-x86_64-linux-gnu.so
cc=${CC:-cc}
[ -e "$source/pyexpat.c" ] || exit 0 # an installed library has no C sources
# Object files are kept for as long as what they are made of stays the same.
objects=$3/$(cat "$0" "$include/pyconfig.h" <("$cc" --version) | sha256sum | cut -c1-16)
mkdir -p "$objects" "$dynload"
missing=

have() { # HEADERS..: whether the C compiler finds them all
  printf '#include <%s>\n' "$@" | "$cc" -E -x c - >/dev/null 2>&1
}

build() { # MODULE FLAGS LIBRARIES FILES..
  local module=$1 flags=$2 libraries=$3 file object list=()
  shift 3
  for file in "$@"; do
    object=$objects/$module-${file//\//-}.o
    list+=("$object")
    [ -e "$object" ] && continue
    # shellcheck disable=SC2086
    "$cc" -w -O2 -g0 -fPIC -fno-strict-overflow -fvisibility=hidden -DPy_BUILD_CORE_MODULE $flags -I"$include" -I"$include/internal" \
      -I"$include/internal/mimalloc" -I"$source" ${CFLAGS:-} -c "$source/$file" -o "$object.new" && mv "$object.new" "$object" || { missing="$missing $module"; return; }
  done
  # shellcheck disable=SC2086
  if "$cc" -shared "${list[@]}" $libraries -lm -o "$dynload/.$module.new"; then
    mv "$dynload/.$module.new" "$dynload/$module$suffix"
  else
    rm -f "$dynload/.$module.new"
    missing="$missing $module"
  fi
}

optional() { # HEADERS MODULE FLAGS LIBRARIES FILES..
  # shellcheck disable=SC2086
  if have Python.h $1; then build "${@:2}"; else missing="$missing $2"; fi
}

export CPATH=$include${CPATH:+:$CPATH}
expat="-I$source/expat -DHAVE_EXPAT_CONFIG_H=1 -DXML_POOR_ENTROPY=1 -DXML_DEV_URANDOM"
# Two at a time: nothing here depends on anything else.
{
  build pyexpat "$expat" "" pyexpat.c expat/xmlparse.c expat/xmlrole.c expat/xmltok.c
  build _elementtree "$expat" "" _elementtree.c
  build _lsprof "" "" _lsprof.c rotatingtree.c
  optional openssl/ssl.h _ssl "" "-lssl -lcrypto" _ssl.c
  [ -z "$missing" ] || echo "left out for want of a library:$missing" >&2
} &
{
  mpdec=()
  for file in "$source"/_decimal/libmpdec/*.c; do
    case $file in *bench*) ;; *) mpdec+=("${file#"$source"/}") ;; esac
  done
  build _decimal "-I$source/_decimal/libmpdec -DCONFIG_64=1 -DASM=1 -DHAVE_UINT128_T=1" "" _decimal/_decimal.c "${mpdec[@]}"
  [ -z "$missing" ] || echo "left out for want of a library:$missing" >&2
} &
wait
