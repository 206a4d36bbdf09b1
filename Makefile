# The front door. The build itself is CMake: CMakeLists.txt and CMakePresets.json.
BOOTSTRAP ?= sh tools/bootstrap-debian.sh
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

.PHONY: all demo test check coverage fuzz tidy install clean help

all:
	@cmake --preset release
	@cmake --build --preset release --target product

demo:
	@$(BOOTSTRAP)
	@$(MAKE) all
	@sh tools/demo.sh

test:
	@$(BOOTSTRAP)
	@cmake --preset release
	@cmake --build --preset release
	@ctest --preset release

check:
	@$(BOOTSTRAP)
	@cmake --preset dev && cmake --build --preset dev && ctest --preset dev
	@cmake --preset tsan && cmake --build --preset tsan && ctest --preset tsan

coverage:
	@$(BOOTSTRAP) --all
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
	@echo "make install   install to PREFIX=$(PREFIX) (DESTDIR is honoured)"
	@echo "make clean     remove build/"
