# Obtains the upstream CPython 3.13.5 source archive. To be sourced: `taipan_source DEST` unpacks it to DEST/Python-3.13.5,
# or links the tree that TAIPAN_CPYTHON_SOURCE names. Nothing is left behind by a failed attempt.

taipan_sha256=93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640
taipan_archive=python3.13_3.13.5.orig.tar.xz

taipan_die() { echo "taipan: $*" >&2; exit 1; }

taipan_check() { # FILE
  echo "$taipan_sha256  $1" | sha256sum --check --status
}

# The archive through Debian's source package: a private apt configuration that takes the machine's own mirror.
taipan_apt() { # FOLDER
  local dir=$1 sources=/etc/apt/sources.list.d/debian.sources here
  [ -e "$sources" ] && command -v apt-get >/dev/null || return 1
  here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  mkdir -p "$dir"/{etc,lists/partial,cache/archives/partial,download}
  awk 'BEGIN{RS="";ORS="\n\n"} !/security/' "$sources" |
    sed "s/\b$here-updates\b//; s/\b$here\b/trixie/g; s/^Types:.*/Types: deb-src/" >"$dir/etc/debian.sources"
  local apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/etc"
    -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User="$(id -un)")
  "${apt[@]}" update >/dev/null 2>&1 || return 1
  (cd "$dir/download" && "${apt[@]}" source --download-only python3.13 >/dev/null 2>&1) || return 1
  [ -e "$dir/download/$taipan_archive" ]
}

taipan_unpack() { # ARCHIVE DEST
  taipan_check "$1" || taipan_die "$1 is not the CPython 3.13.5 source archive (its sha256 differs); give the right one in TAIPAN_CPYTHON_SOURCE"
  local work=$2/.unpacking.$$
  mkdir -p "$work" && tar -xJf "$1" -C "$work" || { rm -rf "$work"; taipan_die "can't unpack $1 to $2 (disk full?)"; }
  rm -rf "$2/Python-3.13.5" && mv "$work/Python-3.13.5" "$2/Python-3.13.5" && rm -rf "$work"
}

taipan_source() { # DEST
  local dest=$1 cache=${XDG_CACHE_HOME:-$HOME/.cache}/taipan given=${TAIPAN_CPYTHON_SOURCE:-}
  [ -e "$dest/Python-3.13.5/Lib/os.py" ] && return
  mkdir -p "$dest" || taipan_die "can't write to $dest"
  if [ -n "$given" ]; then
    if [ -f "$given" ]; then
      taipan_unpack "$given" "$dest"
    elif [ -e "$given/Lib/os.py" ]; then
      ln -sfn "$(realpath "$given")" "$dest/Python-3.13.5"
    else
      taipan_die "TAIPAN_CPYTHON_SOURCE=$given is neither the source archive nor a tree with Lib/os.py"
    fi
    return
  fi
  if ! { [ -e "$cache/$taipan_archive" ] && taipan_check "$cache/$taipan_archive"; }; then
    local work=$dest/.fetching.$$
    mkdir -p "$work" "$cache" || taipan_die "can't write to $dest and $cache"
    if taipan_apt "$work" && taipan_check "$work/download/$taipan_archive"; then
      mv "$work/download/$taipan_archive" "$cache/$taipan_archive" || { rm -rf "$work"; taipan_die "can't write to $cache (disk full?)"; }
      rm -rf "$work"
    else
      rm -rf "$work"
      taipan_die "can't obtain CPython 3.13.5's library (no network, or no apt): set TAIPAN_CPYTHON_SOURCE to $taipan_archive or Python-3.13.5.tar.xz, or to the unpacked tree"
    fi
  fi
  taipan_unpack "$cache/$taipan_archive" "$dest"
}
