# rescoldo: see README.md. `make help` prints the lines that begin with "#:".
#:
#: make              build/rescoldo, static and stripped
#: make run          installs what is needed, builds, fetches and bakes a model, serves it
#: make test         installs what is needed, builds, runs every test
#: make unit         the unit tests alone
#: make pytest       the Python tests alone
#: make deps         installs the Debian packages that building, running and testing need
#: make install      program, C library, header, pkg-config file, manual page
#: make uninstall    removes what install put there
#: make wheel        the Python package, in build/wheels; sdist its source
#: make dist         the source, in build
#: make format       formats all C; format-check only looks
#: make fuzz         the fuzzers
#: make clean        removes what was built; distclean also what was downloaded and baked
#: make compile_commands.json   for editors and clang tools
#:
#: Variables: MODEL (a name of models/catalogue.json, a directory or file), PRECISION, LISTEN (make run);
#:   PREFIX, DESTDIR (make install); PYTEST_ARGUMENTS, PYTEST_WORKERS (make test, make pytest);
#:   CC, CFLAGS, LDFLAGS; BUILD (directory); SANITIZE (address,undefined or thread);
#:   ARCH (arm64 or amd64: build for that machine, beside this one's build); V=1 (show whole commands)
VERSION := 0.1.0

CC ?= cc
# For programs that are run while building.
BUILD_CC ?= cc
OBJCOPY ?= objcopy
SANITIZE ?=
comma := ,
# Another machine than this one, by its Debian name: `scripts/deps target-$(ARCH)` installs the compiler and libraries.
ARCH ?=
TRIPLET_amd64 := x86_64-linux-gnu
TRIPLET_arm64 := aarch64-linux-gnu
ifneq ($(filter-out $(shell dpkg --print-architecture 2>/dev/null),$(ARCH)),)
TRIPLET := $(or $(TRIPLET_$(ARCH)),$(error ARCH is $(ARCH), expected amd64 or arm64))
CROSS := -$(ARCH)
CC := $(TRIPLET)-gcc
AR := $(TRIPLET)-ar
OBJCOPY := $(TRIPLET)-objcopy
EMULATOR := qemu-$(firstword $(subst -, ,$(TRIPLET)))-static -cpu max
PKG_CONFIG := env PKG_CONFIG_LIBDIR=/usr/lib/$(TRIPLET)/pkgconfig pkg-config
endif
PKG_CONFIG ?= pkg-config

# Each kind of build has a directory of its own, so that none makes another rebuild.
BUILD ?= build$(CROSS)$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
PREFIX ?= /usr/local
MODEL ?=
PRECISION ?= int8
LISTEN ?= 127.0.0.1:8080
PYTEST_ARGUMENTS ?=
# Files of tests/ run beside each other, some folders as one (tests/conftest.py).
PYTEST_WORKERS ?= -n auto --maxprocesses=4 --dist=loadscope --no-loadscope-reorder
VENV ?= $(CURDIR)/build/venv
# Installs Python packages several times faster than pip.
UV_VERSION := 0.13.9
# uv (and npm below) would trust authorities of their own only, not one that the system knows: a company has its proxy.
export UV_SYSTEM_CERTS := true

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
LIBRARY_PACKAGES := jansson libxxhash libmd libprotobuf-c minizip zlib
PACKAGES := libuv-static libseccomp $(LIBRARY_PACKAGES)

# Debian 13 packages llhttp as a library, Debian 12 its C source.
ifeq ($(shell $(PKG_CONFIG) --exists libllhttp 2>/dev/null && echo yes),yes)
PACKAGES += libllhttp
else
LLHTTP_CFLAGS := -I/usr/share/include/llhttp
LLHTTP_OBJECTS := $(addprefix $(BUILD)/llhttp/,api.o http.o llhttp.o)
endif

# The description of ONNX files that libonnx-dev installs; protoc-c makes C of it.
ONNX_PROTO := $(firstword $(wildcard $(addsuffix /onnx/onnx.proto,/usr/include /usr/include/* /usr/local/include)))
GENERATED := $(BUILD)/generated

PACKAGE_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null) $(LLHTTP_CFLAGS)
PACKAGE_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -lm
LIBRARY_PACKAGE_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARY_PACKAGES) 2>/dev/null) -lm

CPPFLAGS_ALL := -D_GNU_SOURCE -DRESCOLDO_VERSION='"$(VERSION)"' -Isrc -Iinclude -iquote $(GENERATED) -isystem $(GENERATED) $(CPPFLAGS)
# No contraction of a*b+c by the compiler: the kernels say where they fuse, so that every level gives the same bits.
# The same objects make the program and the shared library, none of whose functions can be interposed.
CFLAGS_ALL := -std=c17 -O2 -g -fPIC -fno-semantic-interposition -pthread -ffp-contract=off -ffunction-sections -fdata-sections $(WARNINGS)
LDFLAGS_ALL := -pthread -Wl,--gc-sections $(LDFLAGS)
ifeq ($(SANITIZE),)
# Relocations as bitmaps; linkers before 2.41 know that for x86-64 alone.
PACK_RELOCATIONS := $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),-Wl$(comma)-z$(comma)pack-relative-relocs)
# src/server/user_database.c, unused_input_output.c, no_unwinding.c, seccomp_names.c and no_io_uring.c say why (--wrap: ld(1)).
WRAPPED := getpwuid_r getgrgid_r fscanf sscanf pathconf __vfwprintf_internal ttyname_r syscall \
    _Unwind_ForcedUnwind _Unwind_Resume _Unwind_GetCFA __gcc_personality_v0 \
    $(addprefix syscall_,resolve_name resolve_num resolve_name_kver resolve_num_kver iterate) gen_pfc_generate
LDFLAGS_PROGRAM := -static-pie $(addprefix -Wl$(comma)--wrap=,$(WRAPPED)) \
    -Wl,-O2 -Wl,--no-eh-frame-hdr -Wl,-T,scripts/no-unwind-tables.ld $(PACK_RELOCATIONS)
CFLAGS_ALL += -fno-asynchronous-unwind-tables
else
# A sanitizer's runtime can't be linked statically. GCC takes minutes for the instrumented kernels at -O2 -g.
CPPFLAGS_ALL += -DRESCOLDO_SANITIZER='"$(SANITIZE)"'
CFLAGS_ALL += $(if $(filter thread,$(SANITIZE)),,-O1) $(if $(findstring clang,$(CC)),-Wno-pass-failed) -g1 -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_PROGRAM := -pie -Wl,--wrap=syscall
endif
CFLAGS_ALL += $(CFLAGS)
# make V=1 shows the whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '$(1) $@')
COMPILE = $(CC) $(CPPFLAGS_ALL) $(PACKAGE_CFLAGS) $(CFLAGS_ALL)

# What takes longest to compile comes first, so that no processor waits for it at the end.
LONGEST := src/kernels/reference.c
LIBRARY_SOURCES := $(LONGEST) $(filter-out $(LONGEST),$(sort $(wildcard $(addsuffix /*.c,$(addprefix src/,base formats kernels tokenizer engine evaluation bake api)))))
API_SOURCES := $(filter src/api/%,$(LIBRARY_SOURCES))
PROGRAM_SOURCES := $(sort $(wildcard src/server/*.c src/cli/*.c))
UNIT_TEST_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_SUPPORT_SOURCES := $(sort $(filter-out $(UNIT_TEST_SOURCES),$(wildcard tests/unit/*.c)))
SOURCES := $(LIBRARY_SOURCES) $(PROGRAM_SOURCES) $(UNIT_TEST_SOURCES) $(UNIT_SUPPORT_SOURCES)
FORMATTED = $(shell git ls-files '*.c' '*.h')

object = $(patsubst %.c,$(BUILD)/objects/%.o,$(1))
# Files that the program carries, each compressed as a C array: src/server/NAME.json is NAME_document.
EMBEDDED_OBJECTS := $(patsubst src/server/%.json,$(BUILD)/objects/embedded/%.o,$(wildcard src/server/*.json)) $(BUILD)/objects/embedded/sbom.o
TEST_DRIVER := $(BUILD)/tests/tokenizer/driver
SANDBOX_DEATH := $(BUILD)/tests/sandbox/death
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_TEST_SOURCES))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all release help deps run test unit arm64-unit pytest install install-program uninstall selftest dist format format-check clean distclean

all: $(BUILD)/rescoldo
release: all

help:
	@sed -n 's/^#: \{0,1\}//p' $(firstword $(MAKEFILE_LIST)) | tail -n +2

$(BUILD)/rescoldo: $(BUILD)/rescoldo.debug
ifeq ($(SANITIZE),)
	$(Q)$(OBJCOPY) --strip-all $< $@
else
	$(Q)ln -f $< $@
endif

# With symbols, for debuggers and profilers.
$(BUILD)/rescoldo.debug: $(call object,$(PROGRAM_SOURCES)) $(EMBEDDED_OBJECTS) $(BUILD)/librescoldo.a $(LLHTTP_OBJECTS)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_PROGRAM) $(LDFLAGS_ALL) -Wl,--dependency-file=$(BUILD)/rescoldo.inputs -o $@ $^ $(PACKAGE_LIBS)

$(BUILD)/librescoldo.a: $(call object,$(LIBRARY_SOURCES)) $(GENERATED)/onnx.pb-c.o
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# What is installed: the C API and what it needs, as one object whose only global symbols are rescoldo_*.
$(BUILD)/installed/librescoldo.a: $(call object,$(API_SOURCES)) $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(call say,AR)
	$(Q)$(CC) -r -nostdlib -o $(@D)/librescoldo.o $^
	$(Q)$(OBJCOPY) --strip-debug --wildcard --keep-global-symbol='rescoldo_*' $(@D)/librescoldo.o
	$(Q)rm -f $@ && $(AR) rcsD $@ $(@D)/librescoldo.o

# The shared library; src/api/librescoldo.map lists what it exports, with versions.
SHARED_LIBRARY := librescoldo.so.$(VERSION)
SONAME := librescoldo.so.$(firstword $(subst ., ,$(VERSION)))
$(BUILD)/$(SHARED_LIBRARY): $(call object,$(API_SOURCES)) $(BUILD)/librescoldo.a src/api/librescoldo.map
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=src/api/librescoldo.map \
	    -Wl,--no-undefined -Wl,--as-needed -Wl,-z,relro -Wl,-z,now $(LDFLAGS_ALL) -o $@ $(filter %.o %.a,$^) $(LIBRARY_PACKAGE_LIBS)

$(BUILD)/installed/$(SHARED_LIBRARY): $(BUILD)/$(SHARED_LIBRARY)
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-unneeded $< $@

# The program without main, for unit tests of the server and the command line.
$(BUILD)/program.a: $(filter-out %/main.o,$(call object,$(PROGRAM_SOURCES))) $(EMBEDDED_OBJECTS) $(LLHTTP_OBJECTS)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# How a violation of the sandbox is called.
$(BUILD)/generated/system_call_names.inc: scripts/system-call-names $(BUILD)/command
	@mkdir -p $(@D)
	$(Q)scripts/system-call-names $(CC) >$@
$(BUILD)/objects/src/server/system_call_names.o: $(BUILD)/generated/system_call_names.inc

# How wide characters are on a terminal: a program that runs on this machine asks utf8proc.
$(GENERATED)/character_widths.inc: scripts/character-widths.c $(BUILD)/command
	@mkdir -p $(@D)
	$(Q)$(BUILD_CC) -o $(GENERATED)/character_widths $< -lutf8proc
	$(Q)$(GENERATED)/character_widths >$@
$(BUILD)/objects/src/cli/character_width.o: $(GENERATED)/character_widths.inc

# The portable kernels are vectorized by the compiler alone; at -O2 they lose a fifth of their speed. Loops
# of 9 to 16 rounds unrolled whole, as GCC does at -O3, take 120 KB and make them slower. With that limit GCC 12 for arm64
# takes lanes copied between float and integer by memcpy for strangers, and moves a read before the write: test_kernels_int8.
# GCC 14 unrolls more of the loops that are left than GCC 12, and splits them, for another 160 KB and no speed. Half of the
# time to compile went into asking of each access to memory which of up to a thousand others it may touch.
ifeq ($(SANITIZE),)
CFLAGS_PORTABLE := -O3 -fno-strict-aliasing $(if $(findstring clang,$(CC)),,-fno-split-loops --param=max-completely-peel-times=8 \
    --param=sccvn-max-alias-queries-per-access=50 --param=dse-max-alias-queries-per-store=32 \
    $(if $(filter 12,$(shell $(CC) -dumpversion)),,--param=max-completely-peeled-insns=130))
$(BUILD)/objects/src/kernels/reference.o: private CFLAGS_ALL += $(CFLAGS_PORTABLE)
# What runs once, or waits for a person or a disk, need not be fast: -O1 compiles it in three quarters of the time.
CFLAGS_ONCE := -O1
ONCE := $(addprefix src/,cli/*.c formats/*.c evaluation/*.c bake/*.c api/*.c engine/model_metadata.c engine/selftest.c tokenizer/compile.c \
    $(addprefix server/,address.c api_status.c limits.c listening_socket.c memory_plan.c page_metrics.c sandbox*.c server.c server_start.c model_start.c service_*.c))
$(call object,$(wildcard $(ONCE))) $(GENERATED)/onnx.pb-c.o: private CFLAGS_ALL += $(CFLAGS_ONCE)
endif

# Written by protoc-c, not by us: its warnings are not ours.
$(GENERATED)/onnx.pb-c.c: $(ONNX_PROTO) $(BUILD)/command
	@mkdir -p $(@D)
	$(call say,PROTOC)
	$(Q)protoc-c --proto_path=$(dir $(ONNX_PROTO)) --c_out=$(@D) $(ONNX_PROTO)

$(GENERATED)/onnx.pb-c.h: $(GENERATED)/onnx.pb-c.c ;

$(GENERATED)/onnx.pb-c.o: $(GENERATED)/onnx.pb-c.c $(BUILD)/command
	$(call say,CC)
	$(Q)$(COMPILE) -w -c -o $@ $<

# What an object is made of, the headers of packages too. The image's builder leaves them out, where the list of all
# installed packages stands for them.
DEPENDENCIES ?= -MD
$(BUILD)/objects/%.o: %.c $(BUILD)/command | $(GENERATED)/onnx.pb-c.h
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) $(DEPENDENCIES) -MP -c -o $@ $<

embed = { echo '\#include "server/embedded.h"'; echo 'const unsigned char $(1)_document[] = {'; \
    $(2) | gzip -9n | od -An -v -tx1 | sed 's/ \(..\)/0x\1,/g'; echo '};'; \
    echo 'const size_t $(1)_document_size = sizeof $(1)_document;'; } >$@
$(BUILD)/embedded/%.c: src/server/%.json Makefile
	@mkdir -p $(@D)
	$(Q)$(call embed,$*,sed 's/^ *//' $< | tr -d '\n')

# What is linked in: the archives as the linker finds them, and the sources of packages that are compiled here.
LINKED_LIBRARIES = $(filter -l%,$(PACKAGE_LIBS)) -lc
LINKED_ARCHIVES = $(patsubst -l:%,%,$(filter -l:%,$(LINKED_LIBRARIES))) $(patsubst -l%,lib%.a,$(filter-out -l:%,$(LINKED_LIBRARIES)))
LINKED = $(foreach archive,$(LINKED_ARCHIVES),$(shell $(CC) -print-file-name=$(archive))) \
    $(shell $(CC) -print-libgcc-file-name) $(shell $(BUILD_CC) -print-file-name=libutf8proc.a) $(ONNX_PROTO) $(if $(LLHTTP_OBJECTS),/usr/share/llhttp/llhttp.c)
# dpkg knows their versions.
$(GENERATED)/sbom.json: scripts/sbom Makefile $(BUILD)/command $(wildcard /var/lib/dpkg/status)
	@mkdir -p $(@D)
	$(Q)scripts/sbom $(VERSION) $(LINKED) >$@
$(BUILD)/embedded/sbom.c: $(GENERATED)/sbom.json
	@mkdir -p $(@D)
	$(Q)$(call embed,sbom,cat $<)

$(BUILD)/objects/embedded/%.o: $(BUILD)/embedded/%.c $(BUILD)/command
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) $(DEPENDENCIES) -MP -c -o $@ $<

# ThreadSanitizer would make the kernels a hundred times slower, and the tests of the server with them; a kernel
# knows no threads, and what surrounds it is watched.
ifeq ($(SANITIZE),thread)
$(BUILD)/objects/src/kernels/%.o: private COMPILE += -fno-sanitize=thread
endif

$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c $(BUILD)/command
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -DLLHTTP_STRICT_MODE=1 $(LLHTTP_CFLAGS) -O2 -fPIE -ffunction-sections -c -o $@ $<

# Changes only when a compile or link command does; everything compiled depends on it.
COMMAND = $(subst ','\'',$(COMPILE) $(CFLAGS_PORTABLE) $(CFLAGS_ONCE) $(LDFLAGS_PROGRAM) $(LDFLAGS_ALL) $(PACKAGE_LIBS))
$(BUILD)/command: always
	@mkdir -p $(@D)
	@[ -n "$(ONNX_PROTO)" ] && command -v protoc-c >/dev/null && $(PKG_CONFIG) --exists $(PACKAGES) 2>/dev/null || { echo "make: libraries are missing; 'make deps' installs them" >&2; exit 1; }
	@printf '%s\n' '$(COMMAND)' | cmp -s - $@ || printf '%s\n' '$(COMMAND)' >$@
.PHONY: always

$(BUILD)/tests/%: $(BUILD)/objects/tests/unit/%.o $(call object,$(UNIT_SUPPORT_SOURCES)) $(BUILD)/program.a $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) -pie $(LDFLAGS_ALL) -o $@ $^ $(shell $(PKG_CONFIG) --libs cmocka) $(PACKAGE_LIBS)

# Its allocations and its sockets' calls fail when the test wants (the linker's --wrap: ld(1)).
$(BUILD)/tests/test_server_failures: private LDFLAGS_ALL += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc read write writev accept4)

# Makes every forbidden call inside a sealed process. Static as the program is, to run in a container of nothing else.
$(SANDBOX_DEATH): $(call object,tests/sandbox/death.c) $(BUILD)/program.a $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(filter-out -Wl$(comma)--wrap=%,$(LDFLAGS_PROGRAM)) $(LDFLAGS_ALL) -o $@ $^ $(PACKAGE_LIBS)

# What the tests in tests/tokenizer talk to.
$(TEST_DRIVER): $(call object,$(wildcard tests/tokenizer/*.c)) $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) -pie $(LDFLAGS_ALL) -o $@ $^ $(PACKAGE_LIBS)

deps:
	@scripts/deps build run test

# As many jobs as processors, unless their number was given; expanded in a recipe, where MAKEFLAGS has it.
PARALLEL = $(if $(filter -j% --jobs%,$(MAKEFLAGS)),,-j$(shell nproc))

run:
	@scripts/deps build run
	@$(MAKE) --no-print-directory $(PARALLEL) -s all
	@MODEL='$(MODEL)' PRECISION='$(PRECISION)' LISTEN='$(LISTEN)' RESCOLDO='$(BUILD)/rescoldo' scripts/run

# Two steps, since this make has read the state of the packages before they were installed.
test:
	@scripts/deps build run test
	@$(MAKE) --no-print-directory $(PARALLEL) all unit
	@$(MAKE) --no-print-directory pytest

# Fuzzers of everything that reads foreign bytes (libFuzzer; fuzz/README.md says how to run them).
FUZZ_SOURCES := $(sort $(wildcard fuzz/fuzz_*.c))
.PHONY: fuzz fuzz-programs
fuzz:
	@$(MAKE) --no-print-directory CC=clang SANITIZE=address,undefined,fuzzer-no-link fuzz-programs

fuzz-programs: $(patsubst fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SOURCES))

$(BUILD)/fuzz/%: $(BUILD)/objects/fuzz/%.o $(call object,tests/tokenizer/slow_tokenizer.c) $(BUILD)/program.a $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer -pie $(LDFLAGS_ALL) -o $@ $^ $(PACKAGE_LIBS)

# The same without libFuzzer, by any compiler: over seeds that fuzz/seeds.c makes, changed in ways that a fixed sequence
# of numbers gives (fuzz/replay.c). With SANITIZE=address,undefined it sees what a fuzzer would.
FUZZ_RUNS ?= 2000
FUZZ_NAMES := $(patsubst fuzz/fuzz_%.c,%,$(FUZZ_SOURCES))
FUZZ_REPLAYS := $(FUZZ_NAMES:%=$(BUILD)/fuzz-replay/%)
.PHONY: fuzz-replay $(FUZZ_REPLAYS:%=%.run)
fuzz-replay: $(FUZZ_REPLAYS) $(BUILD)/fuzz-seeds/made
	@$(MAKE) --no-print-directory --keep-going --output-sync=target $(FUZZ_REPLAYS:%=%.run)

$(FUZZ_REPLAYS:%=%.run): %.run: %
	@'$<' $(FUZZ_RUNS) $(BUILD)/fuzz-seeds/$(notdir $<)/*

$(FUZZ_REPLAYS): $(BUILD)/fuzz-replay/%: $(BUILD)/objects/fuzz/fuzz_%.o $(call object,fuzz/replay.c tests/tokenizer/slow_tokenizer.c) $(BUILD)/program.a $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) -pie $(LDFLAGS_ALL) -o $@ $^ $(PACKAGE_LIBS)

$(BUILD)/fuzz-seeds/made: $(BUILD)/fuzz-seeds/write
	$(Q)$< $(@D) && touch $@

$(BUILD)/fuzz-seeds/write: $(call object,fuzz/seeds.c $(UNIT_SUPPORT_SOURCES)) $(BUILD)/program.a $(BUILD)/librescoldo.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS_ALL) -pie $(LDFLAGS_ALL) -o $@ $^ $(shell $(PKG_CONFIG) --libs cmocka) $(PACKAGE_LIBS)

# UNIT_RUNNER=valgrind runs each under it. With -j several run at once; each one's output stays together.
UNIT_RUNS := $(UNIT_TESTS:%=%.run)
.PHONY: $(UNIT_RUNS)
unit: $(UNIT_TESTS) | $(TEST_DRIVER)
	@$(MAKE) --no-print-directory --keep-going --output-sync=target $(UNIT_RUNS)

$(UNIT_RUNS): %.run: %
	@echo '$<'
	@$(UNIT_RUNNER) '$<'

# The kernels' tests built for arm64 and run under emulation, every level included; and the bits of whole forward
# passes, which must be those of this machine. `scripts/deps arm64` installs what it needs.
ARM64_BUILD := build-arm64
ARM64_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_kernels_*.c)) test_heads
ARM64_MAKE = $(MAKE) --no-print-directory ARCH=arm64
ARM64_RUNNER := qemu-aarch64-static -cpu max
arm64-unit: $(BUILD)/tests/test_encoder
	@$(ARM64_MAKE) $(patsubst %,$(ARM64_BUILD)/tests/%,$(ARM64_TESTS) test_encoder)
	@for test in $(ARM64_TESTS); do echo "$$test on arm64"; $(ARM64_RUNNER) $(ARM64_BUILD)/tests/$$test || exit 1; done
	@$(BUILD)/tests/test_encoder --bits >$(ARM64_BUILD)/bits-here
	@$(ARM64_RUNNER) $(ARM64_BUILD)/tests/test_encoder --bits >$(ARM64_BUILD)/bits-arm64
	@cmp $(ARM64_BUILD)/bits-here $(ARM64_BUILD)/bits-arm64 && echo "arm64-unit: $$(wc -l <$(ARM64_BUILD)/bits-arm64) outputs have equal bits on both machines"

pytest: $(BUILD)/rescoldo $(TEST_DRIVER) $(SANDBOX_DEATH) $(VENV)/requirements.txt
	RESCOLDO_BINARY='$(BUILD)/rescoldo' '$(VENV)/bin/python' -m pytest tests $(PYTEST_WORKERS) $(PYTEST_ARGUMENTS)

$(VENV)/requirements.txt: tests/requirements.txt
	@if cmp -s $< $@; then touch $@; else \
	    echo "test: installing the pinned Python packages that the tests compare with (some GB, once)"; \
	    rm -rf '$(VENV)' && python3 -m venv '$(VENV)' && \
	    '$(VENV)/bin/pip' install --quiet --disable-pip-version-check uv==$(UV_VERSION) && \
        '$(VENV)/bin/uv' pip install --quiet --python '$(VENV)/bin/python' --requirement $< && cp $< $@; fi

install: install-program $(BUILD)/installed/librescoldo.a $(BUILD)/installed/$(SHARED_LIBRARY)
	install -D -m 644 $(BUILD)/installed/librescoldo.a '$(DESTDIR)$(PREFIX)/lib/librescoldo.a'
	install -m 644 $(BUILD)/installed/$(SHARED_LIBRARY) '$(DESTDIR)$(PREFIX)/lib/$(SHARED_LIBRARY)'
	ln -sf $(SHARED_LIBRARY) '$(DESTDIR)$(PREFIX)/lib/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(PREFIX)/lib/librescoldo.so'
	install -D -m 644 $(GENERATED)/sbom.json '$(DESTDIR)$(PREFIX)/share/doc/rescoldo/sbom.cdx.json'
	install -D -m 644 include/rescoldo.h '$(DESTDIR)$(PREFIX)/include/rescoldo.h'
	install -d '$(DESTDIR)$(PREFIX)/lib/pkgconfig'
	sed 's|@VERSION@|$(VERSION)|; s|@REQUIRES@|$(LIBRARY_PACKAGES)|' rescoldo.pc.in >'$(DESTDIR)$(PREFIX)/lib/pkgconfig/rescoldo.pc'
	chmod 644 '$(DESTDIR)$(PREFIX)/lib/pkgconfig/rescoldo.pc'
	install -D -m 644 docs/rescoldo.1 '$(DESTDIR)$(PREFIX)/share/man/man1/rescoldo.1'

uninstall:
	rm -f $(patsubst %,'$(DESTDIR)$(PREFIX)/%',bin/rescoldo lib/librescoldo.a lib/$(SHARED_LIBRARY) lib/$(SONAME) lib/librescoldo.so \
	    lib/pkgconfig/rescoldo.pc include/rescoldo.h share/man/man1/rescoldo.1 share/doc/rescoldo/sbom.cdx.json)
	[ ! -d '$(DESTDIR)$(PREFIX)/share/doc/rescoldo' ] || rmdir --ignore-fail-on-non-empty '$(DESTDIR)$(PREFIX)/share/doc/rescoldo'

# The Python package: a wheel that carries the library and what it needs, checked by auditwheel. WHEEL_PYTHON has the
# packages of python/requirements.txt; by default an environment made for it. It builds in $(BUILD), where the library
# may be compiled already.
WHEEL_VENV ?= $(CURDIR)/build/wheel-venv
WHEEL_PYTHON ?= $(WHEEL_VENV)/bin/python
WHEELS := $(BUILD)/wheels
.PHONY: wheel wheel-test sdist print-version print-library-packages
wheel: $(WHEEL_VENV)/requirements.txt
	@python/build-wheel '$(WHEEL_PYTHON)' '$(BUILD)' '$(abspath $(WHEELS))' $(VERSION) '$(ONNX_PROTO)'

# What `pip install` takes where there is no wheel for a machine; `make wheel` builds from it.
sdist: $(WHEEL_VENV)/requirements.txt
	@'$(WHEEL_PYTHON)' python/build-sdist $(VERSION) '$(WHEELS)'

# The wheel in a clean environment: its tests, then those beside its peers. VENV makes the models.
wheel-test: wheel $(VENV)/requirements.txt
	@RESCOLDO_MODEL_PYTHON='$(VENV)/bin/python' RESCOLDO_TEST_MODELS='$(CURDIR)/build/test-models' \
	    python/test-wheel '$(WHEEL_PYTHON)' '$(abspath $(WHEELS))' '$(CURDIR)/build/wheel-test' $(PYTEST_ARGUMENTS)

$(WHEEL_VENV)/requirements.txt: python/requirements.txt
	@cmp -s $< $@ || { rm -rf '$(WHEEL_VENV)' && python3 -m venv '$(WHEEL_VENV)' && \
	    '$(WHEEL_VENV)/bin/pip' install --quiet --disable-pip-version-check "$$(grep ^uv== $<)" && \
	    '$(WHEEL_VENV)/bin/uv' pip install --quiet --python '$(WHEEL_VENV)/bin/python' --requirement $<; }
	@cp $< $@

# The packages of those who talk to the server, and the tools that deploy/ is for. `scripts/deps clients deploy`
# installs what is not Python's.
CLIENTS ?= $(CURDIR)/build/clients
# Of those whose requirements exclude the others'.
CLIENTS_APART := $(CLIENTS)-apart
.PHONY: clients-test
clients-test: $(BUILD)/rescoldo $(CLIENTS)/requirements.txt $(CLIENTS_APART)/requirements.txt
	RESCOLDO_BINARY='$(BUILD)/rescoldo' RESCOLDO_NODE_CLIENTS='$(CLIENTS)/node' \
	    '$(CLIENTS)/bin/python' -m pytest tests/clients tests/deploy --ignore tests/clients/apart $(PYTEST_ARGUMENTS)
	RESCOLDO_BINARY='$(BUILD)/rescoldo' '$(CLIENTS_APART)/bin/python' -m pytest tests/clients/apart $(PYTEST_ARGUMENTS)

$(CLIENTS)/requirements.txt: tests/clients/requirements.txt tests/deploy/requirements.txt $(wildcard tests/clients/node/*.*)
	@cat $^ | cmp -s - $@ || { rm -rf '$(CLIENTS)' && python3 -m venv '$(CLIENTS)' && \
	    '$(CLIENTS)/bin/pip' install --quiet --disable-pip-version-check uv==$(UV_VERSION) && \
	    '$(CLIENTS)/bin/uv' pip install --quiet --python '$(CLIENTS)/bin/python' $(addprefix --requirement ,$(filter %.txt,$^)) && \
	    mkdir '$(CLIENTS)/node' && cp tests/clients/node/* '$(CLIENTS)/node' && \
	    NODE_OPTIONS=--use-openssl-ca npm --prefix '$(CLIENTS)/node' ci --no-audit --no-fund --silent; }
	@cat $^ >$@

$(CLIENTS_APART)/requirements.txt: tests/clients/apart/requirements.txt | $(CLIENTS)/requirements.txt
	@cmp -s $< $@ || { rm -rf '$(CLIENTS_APART)' && python3 -m venv --without-pip '$(CLIENTS_APART)' && \
	    '$(CLIENTS)/bin/uv' pip install --quiet --python '$(CLIENTS_APART)/bin/python' --requirement $<; }
	@cp $< $@

# For python/meson.build.
print-version:
	@echo '$(VERSION)'
print-library-packages:
	@echo '$(LIBRARY_PACKAGES)'

install-program: $(BUILD)/rescoldo
	install -D -m 755 $(BUILD)/rescoldo '$(DESTDIR)$(PREFIX)/bin/rescoldo'

# MODEL: the ember to check with this build, under emulation when it is for another machine.
selftest: $(BUILD)/rescoldo
	$(EMULATOR) $(BUILD)/rescoldo selftest --model '$(MODEL)'

dist:
	@mkdir -p $(BUILD)
	git archive --format=tar --prefix=rescoldo-$(VERSION)/ HEAD | gzip -9n >$(BUILD)/rescoldo-$(VERSION).tar.gz
	@echo $(BUILD)/rescoldo-$(VERSION).tar.gz

format:
	$(Q)clang-format -i $(FORMATTED)

format-check:
	$(Q)clang-format --dry-run -Werror $(FORMATTED)

compile_commands.json: Makefile
	@{ echo '['; separator=; for source in $(SOURCES); do \
	    printf '%s{"directory": "%s", "file": "%s", "command": "%s"}' "$$separator" '$(CURDIR)' "$$source" \
	        "$$(printf '%s' '$(subst ','\'',$(COMPILE)) -c '"$$source" | sed 's/["\\]/\\&/g')"; \
	    separator=',\n'; done | sed 's/\\n/\n/g'; echo; echo ']'; } >$@

# What took minutes to download or to bake stays.
clean:
	rm -rf $(filter-out $(addprefix build/,venv wheel-venv clients clients-apart test-models),$(wildcard build/*)) build-* compile_commands.json

distclean:
	rm -rf build build-* compile_commands.json models/cache

-include $(shell find $(BUILD)/objects -name '*.d' 2>/dev/null)
