# Test programs and instruments, included by Makefile: make builds them, the scripts run them.
#
# All but the fuzzers are under $(B)/tests, where their sources are under tests; the scripts get
# $(B) as BUILD.

# A test program is linked with the helpers in its folder and in tests/support, and with Check;
# those of unit and multiclient also with the program that they test, all but its main.c.
UNIT_TESTS          := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/check_*.c))
SYSTEM_TESTS        := $(patsubst %.c,$(B)/%,$(wildcard tests/system/check_*.c))
MULTICLIENT_TESTS   := $(patsubst %.c,$(B)/%,$(wildcard tests/multiclient/check_*.c))
TESTS               := $(UNIT_TESTS) $(MULTICLIENT_TESTS) $(SYSTEM_TESTS)
# In tests/support these two need Check. Programs without Check have ABORT_LIB, not SUPPORT_LIB.
CHECK_OBJECTS       := $(patsubst %,$(B)/tests/support/%.o,suite fail_check)
ABORT_OBJECT        := $(B)/tests/support/fail_abort.o
SUPPORT_OBJECTS     := $(filter-out $(CHECK_OBJECTS) $(ABORT_OBJECT),$(call objects,tests/support/*.c))
SUPPORT_LIB         := $(CHECK_OBJECTS) $(B)/tests/support/support.a
ABORT_LIB           := $(ABORT_OBJECT) $(B)/tests/support/support.a
UNIT_HELPERS        := $(call objects,tests/unit/*.c,$(wildcard tests/unit/check_*.c))
SYSTEM_HELPERS      := $(call objects,tests/system/*.c,$(wildcard tests/system/check_*.c))
MULTICLIENT_HELPERS := $(call objects,tests/multiclient/*.c,$(wildcard tests/multiclient/check_*.c))

$(B)/tests/%.o: INCLUDES += $(TEST_INCLUDES)
$(B)/tests/multiclient/%.o: INCLUDES = $(MULTICLIENT_INCLUDES) $(TEST_INCLUDES)

# An archive, so that only the modules in use are linked. The directory is a prerequisite, because
# its time changes with the list of modules.
$(B)/tests/support/support.a: $(SUPPORT_OBJECTS) tests/support
	rm -f $@
	$(AR) rcs $@ $(SUPPORT_OBJECTS)

$(B)/tests/unit/check_%: $(B)/tests/unit/check_%.o $(UNIT_HELPERS) $(SMTPD_LIB) \
    $(SUPPORT_LIB) build/check.libs
	$(LINK) -o $@ $(filter %.o %.a,$^) $(LDLIBS) $$(cat build/check.libs)

$(B)/tests/system/check_%: $(B)/tests/system/check_%.o $(SYSTEM_HELPERS) $(SUPPORT_LIB) build/check.libs
	$(LINK) -o $@ $(filter %.o %.a,$^) $(LDLIBS) $$(cat build/check.libs)

$(B)/tests/multiclient/check_%: $(B)/tests/multiclient/check_%.o $(MULTICLIENT_HELPERS) \
    $(MULTICLIENT_LIB) $(SUPPORT_LIB) build/check.libs
	$(LINK) -o $@ $(filter %.o %.a,$^) $(LDLIBS) $$(cat build/check.libs)

$(CHECK_OBJECTS) \
$(patsubst %.c,$(B)/%.o,$(foreach folder,unit system multiclient,$(wildcard tests/$(folder)/*.c))): \
    | build/check.libs

# The linker flags for Check, which is installed first if it is missing.
build/check.libs: scripts/setup
	@mkdir -p $(@D)
	@CC='$(CC)' scripts/setup check >$@

# ---- fault: programs that run the server with a preloaded library ----

FAULT_NAMES  := bad_start fault_sweep crash power_loss other_programs between_runs
SHIM         := $(B)/tests/fault/shim.so
SHIM_OBJECTS := $(patsubst %,$(B)/tests/fault/%.o,shim trace_writer real_symbol)
FAULT_TESTS  := $(patsubst %,$(B)/tests/fault/%,$(FAULT_NAMES))
FAULT_LIB    := $(filter-out $(SHIM_OBJECTS),$(call objects,tests/fault/*.c,\
	$(patsubst %,tests/fault/%.c,$(FAULT_NAMES))))

# No checked variant of a function, and no sanitizer: the library replaces the functions themselves.
$(SHIM_OBJECTS): override VARIANT_CFLAGS = -fPIC -U_FORTIFY_SOURCE
$(SHIM): $(SHIM_OBJECTS)
	$(CC) $(CFLAGS) -shared $(LDFLAGS) -pthread -o $@ $^ -ldl

$(FAULT_TESTS): %: %.o $(FAULT_LIB) $(ABORT_LIB)
	$(LINK) -o $@ $^ $(LDLIBS)

fault-programs: $(FAULT_TESTS) $(SHIM)

# ---- fuzz: each target for replay by any compiler, and for the search by clang's libFuzzer ----

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS      := $(patsubst %,$(B)/tests/fuzz/replay_%,$(FUZZ_TARGETS))
FUZZERS      := $(patsubst %,build/fuzz/fuzz_%,$(FUZZ_TARGETS))

# The server without main.c, and without log.c, in whose place tests/fuzz/log_stub.c stands.
FUZZED        := $(filter-out src/main.c src/log.c,$(wildcard src/*.c))
FUZZ_HELPERS  := $(filter-out tests/fuzz/fuzz_%.c tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)) \
	$(patsubst %,tests/support/%.c,bytes clock environment fail fail_abort files)
FUZZ_LIB      := $(FUZZED:.c=.o) $(FUZZ_HELPERS:.c=.o)

$(REPLAYS): $(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o \
    $(addprefix $(B)/,$(FUZZ_LIB))
	$(LINK) -o $@ $^ $(LDLIBS)

replays: $(REPLAYS)

# libFuzzer is guided by the coverage of the server and of the reference. In the reference it counts
# edges only, and traces no comparisons.
FUZZ_FLAGS    := -O2 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
FUZZ_COVERAGE  =
$(patsubst %.c,build/fuzz/%.o,$(FUZZED)): FUZZ_COVERAGE = -fsanitize=fuzzer-no-link
$(patsubst %.c,build/fuzz/%.o,$(filter %reference.c %reference_command.c,$(FUZZ_HELPERS))): \
    FUZZ_COVERAGE = -fsanitize-coverage=inline-8bit-counters,pc-table

build/fuzz/%.o: %.c tests/tests.mk Makefile
	@mkdir -p $(@D)
	clang $(FEATURES) $(WARNINGS) $(FUZZ_FLAGS) $(FUZZ_COVERAGE) $(INCLUDES) $(TEST_INCLUDES) -pthread \
		-MMD -MP -c -o $@ $<

$(FUZZERS): build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o $(addprefix build/fuzz/,$(FUZZ_LIB))
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ -pthread

# Where there is no libFuzzer there are no fuzzers, and scripts/fuzz replays the corpus.
fuzzers: replays
	@mkdir -p build/fuzz
	@if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		clang -fsanitize=fuzzer,address -x c -o build/fuzz/probe - 2>build/fuzz/probe.log; then \
		$(MAKE) --no-print-directory $(FUZZERS); else rm -f $(FUZZERS); fi

# ---- programs that the other scripts run ----

SOAK            := $(B)/tests/soak/soak
MANAGER         := $(B)/tests/service/manager
HAPROXY_CLIENTS := $(patsubst %.c,$(B)/%,$(wildcard tests/haproxy/*.c))
BENCH           := $(patsubst %,$(B)/tests/bench/%,load measure ceiling slow_flush.so)

$(SOAK): $(call objects,tests/soak/*.c) $(ABORT_LIB)
$(MANAGER) $(HAPROXY_CLIENTS): %: %.o $(ABORT_LIB)
$(B)/tests/bench/measure: $(call objects,tests/bench/measure.c tests/bench/usage.c) $(ABORT_LIB)
$(B)/tests/bench/load: $(call objects,tests/bench/load.c tests/bench/progress.c) $(B)/src/monotonic.o $(ABORT_LIB)
$(B)/tests/bench/ceiling: %: %.o $(SMTPD_LIB)

$(SOAK) $(MANAGER) $(HAPROXY_CLIENTS) $(filter-out %.so,$(BENCH)):
	$(LINK) -o $@ $^ $(LDLIBS)

$(B)/tests/bench/slow_flush.o: override VARIANT_CFLAGS = -fPIC -U_FORTIFY_SOURCE
$(B)/tests/bench/slow_flush.so: $(B)/tests/bench/slow_flush.o
	$(CC) $(CFLAGS) -shared $(LDFLAGS) -o $@ $^ -ldl

soak-program: $(SOAK)
service-programs: $(MANAGER) $(HAPROXY_CLIENTS)
bench-programs: $(BENCH)

instruments: fault-programs replays soak-program service-programs bench-programs

.PHONY: fault-programs replays fuzzers soak-program service-programs bench-programs instruments
