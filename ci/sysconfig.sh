# Writes what building extensions needs into a prefix: pyconfig.h, the Makefile, sysconfig's data, pkg-config file and
# python3-config. To be sourced: `taipan_sysconfig TOP PREFIX SOURCE`. The facts are in pyconfig.txt and makefile.txt; all
# paths are found from where the files lie, so that the prefix can be moved.

taipan_pyconfig_h() { # TOP
  echo "/* Written by Taipan's scripts/install: what configure finds on this kind of system. */"
  echo "#ifndef Py_PYCONFIG_H"
  echo "#define Py_PYCONFIG_H"
  while read -r name value; do
    case $name in
      \#*) ;;
      _*) printf '#ifndef %s\n#define %s %s\n#endif\n' "$name" "$name" "$value" ;;
      *) printf '#define %s %s\n' "$name" "$value" ;;
    esac
  done <"$1/ci/pyconfig.txt"
  echo "#endif"
}

taipan_sysconfigdata() { # TOP SOURCE
  echo "# Written by Taipan's scripts/install: the variables of the Makefile and the macros of pyconfig.h, for sysconfig."
  echo "import sys"
  echo
  echo "prefix = sys.base_prefix"
  echo "build_time_vars = {"
  # Macros that configure knows and doesn't define count as 0; texts keep their quotes.
  {
    sed -n 's/^# *undef \([A-Z][A-Za-z0-9_]*\).*/\1 0/p' "$2/pyconfig.h.in"
    grep '^[A-Z]' "$1/ci/pyconfig.txt"
  } | awk '
    { name = $1; sub(/^[^ ]+ ?/, ""); value[name] = $0 }
    END {
      for (name in value) {
        v = value[name]
        if (v !~ /^-?[0-9]+$/) { gsub(/\\/, "\\\\\\\\", v); gsub(/\047/, "\\\047", v); v = "\047" v "\047" }
        printf "    \047%s\047: %s,\n", name, v
      }
    }' | LC_ALL=C sort
  awk '
    /^#/ { next }
    {
      name = $1; sub(/^[^ ]+ ?/, ""); v = $0
      if (v !~ /^-?[0-9]+$/ || name == "MACOSX_DEPLOYMENT_TARGET") {
        gsub(/\\/, "\\\\\\\\", v); gsub(/\047/, "\\\047", v)
        v = "\047" v "\047"
        gsub(/\$\(prefix\)/, "\047 + prefix + \047", v)
        gsub(/\047\047 \+ /, "", v); gsub(/ \+ \047\047/, "", v)
      }
      printf "    \047%s\047: %s,\n", name, v
    }' "$1/ci/makefile.txt"
  echo "    'prefix': prefix,"
  echo "}"
  echo "del prefix, sys"
}

taipan_makefile() { # TOP
  echo "# Written by Taipan's scripts/install for sysconfig and for Makefiles that include this one."
  echo 'prefix=	$(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)'
  awk '!/^#/ { name = $1; sub(/^[^ ]+ ?/, ""); print name "=\t" $0 }' "$1/ci/makefile.txt"
}

taipan_python_config() {
  cat <<'END'
#!/bin/sh
# Tells how to compile and link against this Python.
here=$(dirname "$(readlink -f "$0")")
prefix=$(dirname "$here")
usage() { echo "Usage: $0 --prefix|--exec-prefix|--includes|--libs|--cflags|--ldflags|--extension-suffix|--help|--abiflags|--configdir|--embed" >&2; }
[ $# -gt 0 ] || { usage; exit 1; }
for option; do
  case $option in
    --help) usage; exit 0 ;;
    --embed|--prefix|--exec-prefix|--includes|--libs|--cflags|--ldflags|--extension-suffix|--abiflags|--configdir) ;;
    *) usage; exit 1 ;;
  esac
done
for option; do
  case $option in
    --prefix|--exec-prefix) echo "$prefix" ;;
    --includes) echo "-I$prefix/include/python3.13" ;;
    --cflags) echo "-I$prefix/include/python3.13 -fno-strict-overflow -Wsign-compare -DNDEBUG -g -O3 -Wall" ;;
    --libs) echo "-ldl -lm" ;;
    --ldflags) echo "-L$prefix/lib -ldl -lm" ;;
    --extension-suffix) echo ".cpython-313-x86_64-linux-gnu.so" ;;
    --abiflags) echo ;;
    --configdir) echo "$prefix/lib/python3.13/config-3.13-x86_64-linux-gnu" ;;
  esac
done
END
}

taipan_pkgconfig() {
  cat <<'END'
prefix=${pcfiledir}/../..
exec_prefix=${prefix}
libdir=${exec_prefix}/lib
includedir=${prefix}/include

Name: Python
Description: Build a C extension for Python
Requires:
Version: 3.13
Libs.private: -ldl -lm
Libs:
Cflags: -I${includedir}/python3.13
END
}

taipan_sysconfig() { # TOP PREFIX SOURCE
  local lib=$2/lib/python3.13 config=config-3.13-x86_64-linux-gnu
  mkdir -p "$2/bin" "$2/include/python3.13" "$2/lib/pkgconfig" "$lib/$config" &&
    taipan_pyconfig_h "$1" >"$2/include/python3.13/pyconfig.h" &&
    taipan_sysconfigdata "$1" "$3" >"$lib/_sysconfigdata__linux_x86_64-linux-gnu.py" &&
    taipan_makefile "$1" >"$lib/$config/Makefile" &&
    taipan_pkgconfig >"$2/lib/pkgconfig/python-3.13.pc" &&
    ln -sf python-3.13.pc "$2/lib/pkgconfig/python3.pc" &&
    taipan_python_config >"$2/bin/python3.13-config" &&
    chmod +x "$2/bin/python3.13-config" &&
    ln -sf python3.13-config "$2/bin/python3-config"
}
