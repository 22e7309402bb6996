# rescoldo: see README.md. `make` builds build/rescoldo, `make test` runs every test.
CC ?= cc
BUILD ?= build
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
CPPFLAGS_ALL := -D_GNU_SOURCE -DRESCOLDO_VERSION='"$(VERSION)"' -Isrc -Iinclude $(CPPFLAGS)
# No contraction of a*b+c by the compiler: the kernels say where they fuse, so that every level gives the same bits.
CFLAGS_ALL := -std=c17 -O2 -g -fPIE -pthread -ffp-contract=off $(WARNINGS) $(CFLAGS)

PACKAGES := libuv jansson libutf8proc libxxhash libmd
PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PACKAGE_LIBS := -luv_a -ljansson -lutf8proc -lxxhash -lmd -lm -ldl -lrt

LIBRARY_SOURCES := $(sort $(wildcard $(addsuffix /*.c,$(addprefix src/,base formats kernels tokenizer engine bake api))))
PROGRAM_SOURCES := $(sort $(wildcard src/server/*.c src/cli/*.c))
UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))

object = $(patsubst %.c,$(BUILD)/objects/%.o,$(1))
LIBRARY_OBJECTS := $(call object,$(LIBRARY_SOURCES))
PROGRAM_OBJECTS := $(call object,$(PROGRAM_SOURCES))

# Debian 13 packages llhttp as a library, Debian 12 its C source.
ifeq ($(shell pkg-config --exists libllhttp && echo yes),yes)
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS := -lllhttp
else
LLHTTP_CFLAGS := -I/usr/share/include/llhttp
LLHTTP_OBJECTS := $(addprefix $(BUILD)/llhttp/,api.o http.o llhttp.o)
endif

.PHONY: all unit clean
all: $(BUILD)/rescoldo

$(BUILD)/rescoldo: $(PROGRAM_OBJECTS) $(BUILD)/librescoldo.a $(LLHTTP_OBJECTS)
	$(CC) $(CFLAGS_ALL) -static-pie $(LDFLAGS) -o $@ $^ $(LLHTTP_LIBS) $(PACKAGE_LIBS)

$(BUILD)/librescoldo.a: $(LIBRARY_OBJECTS)
	rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/objects/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(PACKAGE_CFLAGS) $(LLHTTP_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(CC) -DLLHTTP_STRICT_MODE=1 $(LLHTTP_CFLAGS) -O2 -fPIE -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/objects/tests/unit/%.o $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs cmocka) $(PACKAGE_LIBS)

unit: $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_TESTS))
	@for test in $^; do echo "$$test"; "$$test" || exit 1; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
