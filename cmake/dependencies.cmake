# What mneme stands on; tools/bootstrap-debian.sh installs it. The library's own list is also
# what mneme.pc and the CMake package name to those who link statically.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

set(MNEME_PKGCONFIG_MODULES lmdb libzstd liblz4 zlib libxxhash libmd sqlite3 libcurl)
pkg_check_modules(MNEME_DEPENDENCIES REQUIRED IMPORTED_TARGET ${MNEME_PKGCONFIG_MODULES})
find_path(MNEME_RAPIDJSON_DIR rapidjson/reader.h REQUIRED) # headers only

# The command line reads its configuration with inih. With liblzma `mneme bench` reads traces.
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(LZMA REQUIRED IMPORTED_TARGET liblzma)

# `mneme metrics serve` answers with libmicrohttpd.
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
