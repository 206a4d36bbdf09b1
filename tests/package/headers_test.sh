#!/bin/sh
# headers_test.sh - each public header compiles alone, as C99 and as C++11, without a warning.
set -eu

count=0
for header in "$MNEME_SOURCE_DIR"/include/mneme/*.h; do
    flags="-fsyntax-only -Wall -Wextra -Werror -pedantic-errors -I $MNEME_SOURCE_DIR/include"
    # Through an #include, as a user's file does it. The flags are a list of words.
    for language in "$CC -std=c99 -x c" "$CXX -std=c++11 -x c++"; do
        # shellcheck disable=SC2086
        echo "#include <mneme/$(basename "$header")>" | $language $flags -
    done
    count=$((count + 1))
done
echo "$count headers"
test "$count" -gt 0
