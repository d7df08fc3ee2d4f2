# The only build file. GNU make, non-recursive: every .c under src/ becomes an object, rooms are found by wildcard.
# `make help` lists the targets.
#
# Variables: SANITIZE=address,undefined or thread   an instrumented build in a folder of its own
#            CC="ccache gcc"  CFLAGS="-O2"  WERROR=-Werror  V=1 (show commands)  PREFIX  DESTDIR

comma    := ,
SANITIZE ?=
BUILD    ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
PYTHON   ?= /usr/bin/python3
JOBS     ?= $(shell nproc)
PREFIX   ?= /usr/local
WERROR   ?=
V        ?=

VERSION  := $(shell sed -n 's/^.define HOB_VERSION_STRING "\(.*\)"/\1/p' include/hob/hob.h)
SONAME   := libhob.so.$(firstword $(subst ., ,$(VERSION)))

# Flags. CFLAGS and LDFLAGS are the caller's, what the code itself needs is added to them.
CFLAGS   ?= $(if $(SANITIZE),-O1,-O3) -g
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes $(WERROR)
INSTRUMENT := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_CPPFLAGS = -Iinclude -Isrc -D_GNU_SOURCE -DHOB_BUILDING $(CPPFLAGS)
ALL_CFLAGS   = -std=gnu17 $(WARNINGS) -fvisibility=hidden -fPIC -ffp-contract=off -pthread $(INSTRUMENT) $(CFLAGS)
ALL_LDFLAGS  = $(INSTRUMENT) $(LDFLAGS)
LDLIBS   := -ljansson -lsodium -lutf8proc -lpcre2-8 -lm -pthread
CLI_LDLIBS := -ledit
SERVER_LDLIBS := -lseccomp

# Files.
SOURCES     := $(sort $(wildcard src/*/*.c src/*/*/*.c))
CLI_SOURCES := $(filter src/cli/%,$(SOURCES))
SERVER_SOURCES := $(filter src/server/%,$(SOURCES))
LIB_SOURCES := $(filter-out src/cli/% src/server/%,$(SOURCES))
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o)
SERVER_OBJECTS := $(SERVER_SOURCES:%.c=$(BUILD)/%.o)
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
TEST_SOURCES := $(sort $(wildcard tests/*/test_*.c))
TESTS       := $(TEST_SOURCES:%.c=$(BUILD)/%)
FUZZ_SOURCES := $(sort $(wildcard fuzz/fuzz_*.c))
FUZZERS     := $(FUZZ_SOURCES:%.c=$(BUILD)/%)
REPLAYS     := $(FUZZ_SOURCES:fuzz/fuzz_%.c=$(BUILD)/fuzz/replay_%)
PROGRAM     := $(if $(CLI_SOURCES),$(BUILD)/hob)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests replays fuzzers
all: $(PROGRAM) $(BUILD)/libhob.a $(BUILD)/libhob.so ## build hob, libhob.a and libhob.so into build/
tests: $(TESTS)
replays: $(REPLAYS)
fuzzers: $(FUZZERS)

# ---- Compiling and linking

# Nobody reads the flags of floating-point exceptions; keeping them exact keeps gcc from making vectors of loops that choose.
$(BUILD)/src/ops/%.o: ALL_CFLAGS += -fno-trapping-math

# gcc 12 for aarch64 breaks down (vect_transform_reduction) over making vectors of loops of fmax, which these have.
ifneq ($(filter aarch64-%,$(shell $(CC) -dumpmachine)),)
$(addprefix $(BUILD)/src/,engine/rerank.o ops/attention/attention_rows.o ops/vision/max_roi_pool.o): ALL_CFLAGS += -fno-tree-loop-vectorize
$(BUILD)/tests/%.o: ALL_CFLAGS += -fno-tree-loop-vectorize
$(BUILD)/src/kernels/arm_dotprod/%.o: ALL_CFLAGS += -march=armv8.2-a+dotprod
endif

# Instruction sets are chosen per folder; kernels/select.c picks at start what the machine has.
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
$(BUILD)/src/kernels/x86_avx2/%.o: ALL_CFLAGS += -mavx2 -mfma -mf16c
$(BUILD)/src/kernels/x86_avx512/%.o: ALL_CFLAGS += -mavx512f -mavx512vl -mavx512bw -mavx512dq -mavx2 -mfma -mf16c
$(BUILD)/src/kernels/x86_avx512_vnni/%.o: ALL_CFLAGS += -mavx512f -mavx512vl -mavx512bw -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c
endif
# clang with sanitizers takes minutes over these unrolled loops, which fuzzing has nothing to find in: no input decides their addresses.
ifneq ($(findstring fuzzer,$(SANITIZE)),)
$(BUILD)/src/kernels/x86_avx512_vnni/%.o: INSTRUMENT :=
endif
$(BUILD)/src/base/memory.o: ALL_CPPFLAGS += -DBANNED_LIFTED
$(BUILD)/src/%.o: ALL_CPPFLAGS += -include src/base/banned.h
$(BUILD)/tests/%.o: ALL_CPPFLAGS += -Itests

Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-6s %s\n' $(1) $(2))

# Rewritten only when its text changes, so that other flags, or a source file that came or went, cause a new build.
.PHONY: always
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo '$(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LDLIBS)' | cmp -s - $@ || \
	  echo '$(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LDLIBS)' > $@
$(BUILD)/sources: always
	@mkdir -p $(@D)
	@echo '$(SOURCES)' | cmp -s - $@ || echo '$(SOURCES)' > $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libhob.a: $(LIB_OBJECTS) $(BUILD)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJECTS)
$(BUILD)/libhob.so: $(LIB_OBJECTS) $(BUILD)/sources
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) $(ALL_LDFLAGS) $(LIB_OBJECTS) $(LDLIBS) -o $@
# The daemon is part of the program, not of the library: programs that use libhob need no HTTP.
$(BUILD)/server.a: $(SERVER_OBJECTS) $(BUILD)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(SERVER_OBJECTS)
$(BUILD)/hob: $(CLI_OBJECTS) $(BUILD)/server.a $(BUILD)/libhob.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(CLI_OBJECTS) $(BUILD)/server.a $(BUILD)/libhob.a $(CLI_LDLIBS) $(SERVER_LDLIBS) $(LDLIBS) -o $@

# Each tests/<room>/test_<thing>.c is one cmocka program; with the static library it sees internal names.
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libhob.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $< $(BUILD)/libhob.a -lcmocka $(LDLIBS) -o $@
$(BUILD)/tests/server/%: $(BUILD)/tests/server/%.o $(BUILD)/server.a $(BUILD)/libhob.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -lcmocka $(SERVER_LDLIBS) $(LDLIBS) -o $@

# Each fuzz/fuzz_<parser>.c is linked with libFuzzer (clang only) or with a driver that replays files (any compiler).
$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/server.a $(BUILD)/libhob.a
	$(call say,LD,$@)
	$(Q)$(CC) -fsanitize=fuzzer $(ALL_LDFLAGS) $^ $(SERVER_LDLIBS) $(LDLIBS) -o $@
$(BUILD)/fuzz/replay_%: $(BUILD)/fuzz/replay.o $(BUILD)/fuzz/fuzz_%.o $(BUILD)/server.a $(BUILD)/libhob.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(SERVER_LDLIBS) $(LDLIBS) -o $@

# It has a stand-in for the HTTP server's exchanges, which comes before the one in server.a.
$(BUILD)/fuzz/fuzz_routes $(BUILD)/fuzz/replay_routes: ALL_LDFLAGS += -Wl,-z,muldefs

-include $(SOURCES:%.c=$(BUILD)/%.d) $(TEST_SOURCES:%.c=$(BUILD)/%.d) $(FUZZ_SOURCES:%.c=$(BUILD)/%.d)

# ---- Testing

SANITIZED  := $(BUILD)-address-undefined
THREADED   := $(BUILD)-thread
COVERED    := $(BUILD)-coverage
FUZZED     := $(BUILD)-fuzz
CROSSED    := $(BUILD)-aarch64
MAKEFLAGS  += --no-print-directory
RUN_TESTS  := $(PYTHON) tools/run-tests --jobs $(JOBS)
TOOL_TESTS := $(sort $(wildcard tests/tools/*.bats))
CLI_TESTS  := $(sort $(wildcard tests/cli/*.bats tests/server/*.bats))
LONG_TESTS := $(sort $(wildcard tests/long/*.bats))
CHECKS     := 'tools/check-layers $(BUILD)' 'tools/check-tables $(BUILD)'
FUZZ_SECONDS ?= 60
FUZZ_CC    ?= clang

# $(call tests_in,FOLDER): the unit tests and command-line tests of the build there.
tests_in = --cmocka $(TESTS:$(BUILD)/%=$(1)/%) $(if $(and $(PROGRAM),$(CLI_TESTS)),--cli $(1)/hob $(CLI_TESTS))
# Each fuzz target over its seeds and over all that once crashed it.
REPLAY_CHECKS := $(foreach target,$(FUZZ_SOURCES:fuzz/fuzz_%.c=%),\
    '$(SANITIZED)/fuzz/replay_$(target) $$(find fuzz/regressions/$(target) fuzz/seeds/$(target) -type f 2>/dev/null)')

.PHONY: deps check sanitized test test-aarch64 test-long coverage
deps: ## install the Debian packages that the build needs
	@tools/deps build

check: all ## floors, include circles, call circles, tables without files and files without rows
	@$(RUN_TESTS) --check $(CHECKS)

sanitized:
	@$(MAKE) SANITIZE=address,undefined BUILD=$(SANITIZED) all tests replays

test: ## install what is missing, then run every test, plain and under ASan and UBSan
	@tools/deps test
	@$(MAKE) -j$(JOBS) all tests sanitized
	@$(RUN_TESTS) --check $(CHECKS) $(REPLAY_CHECKS) --bats $(TOOL_TESTS) \
	  $(call tests_in,$(BUILD)) $(call tests_in,$(SANITIZED))

# The emulator is slow, so only where instruction sets differ: kernels, the operators on them, and one model of each kind.
CROSS_TESTS := $(filter tests/base/% tests/quant/% tests/kernels/% tests/ops/test_hob_ops.c tests/engine/test_embed.c \
    tests/engine/test_decoder.c,$(TEST_SOURCES))
test-aarch64: ## build for 64-bit ARM and run the tests that can differ there, under qemu
	@tools/deps aarch64
	@$(MAKE) -j$(JOBS) CC=aarch64-linux-gnu-gcc BUILD=$(CROSSED) all $(CROSS_TESTS:%.c=$(CROSSED)/%)
	@$(RUN_TESTS) --timeout 1800 --check $(CROSS_TESTS:%.c='qemu-aarch64 $(CROSSED)/%')

test-long: ## what takes longer: TSan, valgrind, every fuzz target for FUZZ_SECONDS, tests/long
	@tools/deps long
	@$(MAKE) -j$(JOBS) all tests
	@$(MAKE) -j$(JOBS) SANITIZE=thread BUILD=$(THREADED) all tests
	@$(MAKE) -j$(JOBS) fuzz
	@$(MAKE) test-aarch64
	@$(RUN_TESTS) --timeout 3600 $(call tests_in,$(THREADED)) --cli $(BUILD)/hob $(LONG_TESTS) \
	  --check $(foreach test,$(TESTS),'valgrind -q --error-exitcode=1 --leak-check=full $(test)') \
	  $(foreach target,$(FUZZ_SOURCES:fuzz/fuzz_%.c=%),'tools/fuzz-run $(FUZZED) $(target) $(FUZZ_SECONDS)')

LCOV := lcov --quiet --capture --no-external --base-directory . --directory $(COVERED)/src
coverage: ## line coverage of src/ by all tests, in percent
	@tools/deps test dev
	@$(MAKE) -j$(JOBS) BUILD=$(COVERED) CFLAGS='-O0 -g --coverage -fprofile-update=atomic' LDFLAGS=--coverage all tests
	@find $(COVERED) -name '*.gcda' -delete
	@$(RUN_TESTS) $(call tests_in,$(COVERED))
	@$(LCOV) --initial -o $(COVERED)/none.info # a file that no test enters counts too
	@$(LCOV) -o $(COVERED)/entered.info
	@lcov --quiet -a $(COVERED)/none.info -a $(COVERED)/entered.info -o $(COVERED)/coverage.info
	@lcov --list $(COVERED)/coverage.info

.PHONY: fuzz fuzz-run
fuzz: ## build every fuzz target with clang into build-fuzz/
	@tools/deps long
	@$(MAKE) CC='$(FUZZ_CC)' SANITIZE=address,undefined,fuzzer-no-link BUILD=$(FUZZED) fuzzers

fuzz-run: fuzz ## run every fuzz target for FUZZ_SECONDS
	@$(foreach target,$(FUZZ_SOURCES:fuzz/fuzz_%.c=%),tools/fuzz-run $(FUZZED) $(target) $(FUZZ_SECONDS) &&) true

# ---- Measuring

# hob's side is linked like any program of ours; the others are each one file that stands alone.
ROWS ?=
BENCH_ISA ?= best
BENCH_SECONDS ?= 10
BENCH_PROGRAMS := $(addprefix $(BUILD)/bench/,side_hob speculate peer_llama limits \
    $(if $(filter x86_64-%,$(shell $(CC) -dumpmachine)),mask_cpuid.so))
$(BUILD)/bench/side_hob $(BUILD)/bench/speculate: $(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/libhob.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/bench/peer_llama $(BUILD)/bench/limits: $(BUILD)/bench/%: $(BUILD)/bench/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -ldl -lm -pthread -o $@
$(BUILD)/bench/mask_cpuid.so: $(BUILD)/bench/mask_cpuid.o
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(ALL_LDFLAGS) $^ -ldl -o $@
-include $(patsubst %,%.d,$(basename $(BENCH_PROGRAMS)))

.PHONY: bench bench-serve code-edits performance-page
bench: ## measure against the peers; ROWS=minilm,… some rows, BENCH_ISA=avx2 without AVX-512
	@tools/deps build bench
	@$(MAKE) -j$(JOBS) all $(BENCH_PROGRAMS)
	@bench/run --build $(BUILD) --isa $(BENCH_ISA) --seconds $(BENCH_SECONDS) $(if $(ROWS),--rows $(ROWS))

bench-serve: ## measure the daemon beside servers made of the peers
	@tools/deps build bench
	@$(MAKE) -j$(JOBS) all
	@bench/serve.py --build $(BUILD) --seconds $(BENCH_SECONDS) --json $(BUILD)/bench/serve.jsonl

code-edits: ## how much faster edits of code are decoded with drafts from the prompt
	@tools/deps build bench
	@$(MAKE) -j$(JOBS) $(BENCH_PROGRAMS)
	@bench/code_edits.py --build $(BUILD)

performance-page: ## write docs/performance.md and its picture from what `make bench` measured
	@bench/page.py $(BUILD)/bench/results.jsonl docs

# ---- Showing, checking, installing

C_FILES = $(shell git ls-files '*.c' '*.h')

.PHONY: demo format format-check lint compile_commands compile_commands.json
demo: ## install what is missing, build, and do the main jobs on the default model
	@tools/deps build
	@$(MAKE) -j$(JOBS) all
	@tools/demo $(BUILD)/hob

format: ## lay out every .c and .h as .clang-format says
	clang-format -i $(C_FILES)
format-check: ## fail where `make format` would change something
	clang-format --dry-run --Werror $(C_FILES)

# cppcheck's legacyUninitvar does not see that FAIL returns; its newer check, uninitvar, does, and stays.
lint: compile_commands ## clang-tidy and cppcheck over src/
	@tools/deps dev
	printf '%s\n' $(SOURCES) | xargs -n 8 -P $(JOBS) clang-tidy --quiet --warnings-as-errors='*' -p .
	cppcheck --quiet -j $(JOBS) --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
	  --suppress=missingIncludeSystem --suppress=internalAstError --suppress=unknownMacro --suppress=legacyUninitvar -Iinclude -Isrc src

# Made from the commands that make itself would run, so per-folder flags are right.
compile_commands: compile_commands.json ## write compile_commands.json for editors and linters
compile_commands.json:
	@$(MAKE) --always-make --dry-run V=1 $(LIB_OBJECTS) $(SERVER_OBJECTS) $(CLI_OBJECTS) $(TESTS:=.o) | \
	  sed -n 's|^.* -c \([^ ]*\) -o .*|{"directory": "$(CURDIR)", "file": "\1", "command": "&"},|p' | \
	  sed '1s/^/[/; $$s/,$$/]/' > $@

$(BUILD)/libhob.pc: always # PREFIX may have changed
	@printf '%s\n' 'prefix=$(PREFIX)' 'Name: libhob' 'Description: private AI on one machine' 'Version: $(VERSION)' \
	  'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lhob' 'Libs.private: $(LDLIBS)' > $@

.PHONY: install uninstall clean help
HEADERS := $(wildcard include/hob/*.h)
COMPLETIONS := bash-completion/completions/hob zsh/site-functions/_hob fish/vendor_completions.d/hob.fish
install: all $(BUILD)/libhob.pc ## install below PREFIX (and DESTDIR)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/hob
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/hob $(HEADERS)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib $(BUILD)/libhob.a
	install -m 755 $(BUILD)/libhob.so $(DESTDIR)$(PREFIX)/lib/libhob.so.$(VERSION)
	ln -sf libhob.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libhob.so
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/pkgconfig $(BUILD)/libhob.pc
	mkdir -p $(DESTDIR)$(PREFIX)/share/hob
	cp -R models $(DESTDIR)$(PREFIX)/share/hob/
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/hob.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/user packaging/systemd/hob.socket
	sed 's|@BINDIR@|$(PREFIX)/bin|' packaging/systemd/hob.service > $(DESTDIR)$(PREFIX)/lib/systemd/user/hob.service
	$(foreach shell,$(COMPLETIONS),mkdir -p $(DESTDIR)$(PREFIX)/share/$(dir $(shell)) && \
	  $(BUILD)/hob shell-completion $(firstword $(subst -, ,$(subst /, ,$(shell)))) > $(DESTDIR)$(PREFIX)/share/$(shell) &&) true

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/hob $(DESTDIR)$(PREFIX)/lib/libhob.a $(DESTDIR)$(PREFIX)/lib/libhob.so* \
	  $(DESTDIR)$(PREFIX)/lib/pkgconfig/libhob.pc
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1/hob.1 $(COMPLETIONS))
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/lib/systemd/user/,hob.socket hob.service)
	rm -rf $(DESTDIR)$(PREFIX)/include/hob $(DESTDIR)$(PREFIX)/share/hob

clean: ## remove every build
	rm -rf build build-* compile_commands.json

help: ## list the targets
	@sed -n 's/^\([a-z_-]*\):.* ## \(.*\)/\1\t\2/p' Makefile | expand -t 18
