#!/bin/sh
# consumer_test.sh - installs the build, then builds and runs a program against it through
# pkg-config and through CMake, in C and in C++, shared and static.
set -eu

work=$(mktemp -d "${TMPDIR:-/tmp}/mneme-package.XXXXXX")
trap 'rm -rf "$work"' EXIT
source=$MNEME_SOURCE_DIR/tests/package
cd "$work"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Installed, then moved: nothing in it may remember where it was first.
"$CMAKE" --install "$MNEME_BUILD_DIR" --prefix "$work/first" >/dev/null
mv first prefix
library=$(find prefix -name libmneme.so)
libdir=$work/$(dirname "$library")
LD_LIBRARY_PATH=$libdir
PKG_CONFIG_PATH=$libdir/pkgconfig
export LD_LIBRARY_PATH PKG_CONFIG_PATH
prefix/bin/mneme version >/dev/null || fail "the installed program does not run"
for page in man1/mneme.1 man1/mneme-episode.1 man3/mneme.3 man5/mneme-config.5; do
    [ -s "prefix/share/man/$page" ] || fail "share/man/$page is not installed"
done

# What the libraries show to others.
readelf -d "$library" >dynamic
grep -q 'SONAME.*\[libmneme\.so\.0\]' dynamic || fail "SONAME is not libmneme.so.0"
! grep 'NEEDED.*libstdc++' dynamic || fail "libmneme.so needs the C++ runtime"
nm -D --defined-only "$library" | awk '{print $3}' >shared_names
nm -g --defined-only "$libdir/libmneme.a" | awk 'NF == 3 {print $3}' >static_names
for names in shared_names static_names; do
    grep -q '^mneme_open' $names || fail "$names lack mneme_open"
    ! grep -v -e '^mneme_' -e '^MNEME_0' $names || fail "$names have the names above"
done

# pkg-config.
cp "$source/consumer.c" consumer.cc
flags="-Wall -Wextra -Werror -pedantic"
shared=$(pkg-config --cflags --libs mneme)
# libmneme.a, and what it stands on as shared libraries: libcurl has no other way.
static=$(pkg-config --static --cflags --libs mneme | sed 's/-lmneme/-l:libmneme.a/')
# The flags are lists of words.
# shellcheck disable=SC2086
{
    "$CC" -std=c99 $flags "$source/consumer.c" $shared -o c_shared
    "$CXX" -std=c++11 $flags consumer.cc $shared -o cxx_shared
    "$CC" -std=c99 $flags "$source/consumer.c" $static -o c_static
    "$CXX" -std=c++11 $flags consumer.cc $static -o cxx_static
}
for program in c_shared cxx_shared c_static cxx_static; do
    "./$program" || fail "$program, built with pkg-config"
done
readelf -d c_shared | grep -q libmneme.so.0 || fail "c_shared does not use libmneme.so.0"
! readelf -d c_static | grep -q libmneme.so.0 || fail "c_static uses libmneme.so.0"
# The example of README.md, as a reader would build it.
# shellcheck disable=SC2086
"$CC" -std=c99 $flags "$MNEME_SOURCE_DIR/examples/quickstart.c" $shared -o quickstart
[ "$(./quickstart)" = "Fix the login test: 1 step" ] || fail "quickstart, built with pkg-config"
# shellcheck disable=SC2086
"$CC" -std=c99 $flags "$MNEME_SOURCE_DIR/examples/registry.c" $shared -o registry
./registry | grep -q '^mneme_operations|layer=api|operation=episode_start|' || fail "registry"

# CMake.
"$CMAKE" -S "$source" -B cmake -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" >log 2>&1 || { cat log; fail "configure"; }
"$CMAKE" --build cmake >log 2>&1 || { cat log; fail "build"; }
for program in c_shared cxx_shared c_static cxx_static; do
    "cmake/$program" || fail "$program, built with CMake"
done
