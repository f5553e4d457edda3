# The front door. Meson does the work below build/.
#
#   make            build (installs missing build tools with apt-get when run as root)
#   make check      all tests, warnings are errors; the last line is "N passed, N failed"
#   make check-all  lint, the fuzzers for a minute each, check with the long tests too
#   make demo | bench | fuzz | install | format | lint | clean

prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
datadir ?= $(prefix)/share
BUILD ?= build
FUZZ_SECONDS ?= 60

all: deps-build
	@scripts/configure.sh $(BUILD)
	@ninja -C $(BUILD)

deps-%:
	@scripts/deps.sh $*

check: check-builds
	@scripts/check.sh

check-all: lint fuzz check-builds
	@scripts/check.sh --all

check-builds: deps-build deps-check
	@scripts/configure.sh build -Dwerror=true
	@ninja -C build
	@scripts/configure.sh build-asan -Dwerror=true -Dsanitize=true
	@ninja -C build-asan

bench: deps-bench all
	@bench/run

demo: deps-demo all
	@scripts/demo.sh

# Every fuzzer, over a copy of its corpus: what it finds stays below build-fuzz/.
fuzz: deps-fuzz
	@CC=clang scripts/configure.sh build-fuzz -Dfuzz=true
	@ninja -C build-fuzz
	@scripts/fuzz.sh build-fuzz $(FUZZ_SECONDS)

install: all
	install -D -m 755 $(BUILD)/tenon $(DESTDIR)$(bindir)/tenon
	install -D -m 644 docs/tenon.1 $(DESTDIR)$(mandir)/man1/tenon.1
	install -d $(DESTDIR)$(datadir)/bash-completion/completions $(DESTDIR)$(datadir)/zsh/site-functions \
		$(DESTDIR)$(datadir)/fish/vendor_completions.d
	$(BUILD)/tenon completions bash >$(DESTDIR)$(datadir)/bash-completion/completions/tenon
	$(BUILD)/tenon completions zsh >$(DESTDIR)$(datadir)/zsh/site-functions/_tenon
	$(BUILD)/tenon completions fish >$(DESTDIR)$(datadir)/fish/vendor_completions.d/tenon.fish

format: deps-lint
	clang-format -i $$(find src tools fuzz -name '*.[ch]')

lint: deps-build deps-lint
	@scripts/configure.sh $(BUILD)
	@scripts/lint.sh $(BUILD)

clean:
	rm -rf build build-asan build-fuzz

.PHONY: all check check-all check-builds bench demo fuzz install format lint clean
