# The only build file. GNU make, non-recursive: every .c under src/ becomes an object, rooms are found by wildcard.
#
#   make              build/hob, build/libhob.a, build/libhob.so
#   make test         install what is missing (tools/deps), then every test
#   make SANITIZE=address,undefined   the same, instrumented, in build-address,undefined/

SANITIZE ?=
BUILD    ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
comma    := ,
CC       ?= gcc
WERROR   ?=

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes $(WERROR)
CPPFLAGS += -Iinclude -Isrc -D_GNU_SOURCE -DHOB_BUILDING -include src/base/banned.h
CFLAGS   ?= -O3 -g
ALL_CFLAGS = -std=gnu17 $(WARNINGS) -fvisibility=hidden -fPIC -ffp-contract=off -pthread $(CFLAGS) \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LDLIBS   := -ljansson -lutf8proc -lpcre2-8 -lm -pthread
LDFLAGS  += $(if $(SANITIZE),-fsanitize=$(SANITIZE))

SOURCES  := $(sort $(wildcard src/*/*.c src/*/*/*.c))
CLI_SOURCES := $(filter src/cli/%,$(SOURCES))
LIB_SOURCES := $(filter-out src/cli/%,$(SOURCES))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o)

# Instruction sets are chosen per folder; select.c picks at start what the machine has.
$(BUILD)/src/kernels/x86_avx2/%.o: ALL_CFLAGS += -mavx2 -mfma -mf16c
$(BUILD)/src/base/memory.o: CPPFLAGS += -DBANNED_LIFTED

.DEFAULT_GOAL := all
.PHONY: all
all: $(BUILD)/hob $(BUILD)/libhob.a $(BUILD)/libhob.so

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libhob.a: $(LIB_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/libhob.so: $(LIB_OBJECTS)
	$(CC) -shared $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/hob: $(CLI_OBJECTS) $(BUILD)/libhob.a
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# Unit tests: each tests/**/test_*.c is one cmocka program linked with the static library (internal names visible).
TEST_SOURCES := $(sort $(wildcard tests/test_*.c tests/*/test_*.c))
TESTS        := $(TEST_SOURCES:%.c=$(BUILD)/%)
$(BUILD)/tests/%: tests/%.c $(BUILD)/libhob.a
	@mkdir -p $(@D)
	$(CC) $(filter-out -include src/base/banned.h,$(CPPFLAGS)) -Itests $(ALL_CFLAGS) -MMD -MP $< $(BUILD)/libhob.a $(LDFLAGS) -lcmocka $(LDLIBS) -o $@
.PHONY: tests
tests: $(TESTS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
