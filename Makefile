# smtpd and multiclient: build, run, test. `make help` lists the targets.
#
# Objects and programs are under build/VARIANT, where VARIANT is the sanitizer or `plain`; only the two
# programs of the plain variant are ./smtpd and multiclient/multiclient. All other output is under build.

SANITIZE ?=
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wformat=2 -Wvla -Wno-psabi
FEATURES := -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64

# accepted FLAGS: the flags if the compiler accepts them without a warning. PROBE leaves out the flags
# for coverage, with which the compiler would leave a .gcno file here.
PROBE = $(filter-out --coverage -ftest-coverage,$(CC) $(CPPFLAGS) $(CFLAGS))
accepted = $(shell echo 'int probe;' | $(PROBE) -O2 -Werror $(1) \
	-include string.h -x c -S -o - - >/dev/null 2>&1 && echo '$(1)')

ifeq ($(SANITIZE),)
VARIANT_CFLAGS := -fPIE -fstack-protector-strong $(call accepted,-fstack-clash-protection) \
	$(call accepted,-fcf-protection)
# If CC, CPPFLAGS or CFLAGS define or undefine _FORTIFY_SOURCE, that stays.
ifeq ($(findstring _FORTIFY_SOURCE,$(CC) $(CPPFLAGS) $(CFLAGS)),)
VARIANT_CFLAGS += -U_FORTIFY_SOURCE $(or $(call accepted,-D_FORTIFY_SOURCE=3),-D_FORTIFY_SOURCE=2)
endif
VARIANT         := plain
VARIANT_LDFLAGS := -pie -Wl,-z,relro,-z,now
SMTPD           := smtpd
MULTICLIENT     := multiclient/multiclient
else ifeq ($(SANITIZE),thread)
VARIANT         := thread
VARIANT_CFLAGS  := -fPIE -fsanitize=thread -fno-omit-frame-pointer
VARIANT_LDFLAGS := -pie -fsanitize=thread
else ifeq ($(SANITIZE),address)
VARIANT         := address
VARIANT_CFLAGS  := -fPIE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
VARIANT_LDFLAGS := -pie -fsanitize=address,undefined
else
$(error SANITIZE is thread, address (with undefined) or nothing, not '$(SANITIZE)')
endif

B           := build/$(VARIANT)
SMTPD       ?= $(B)/smtpd
MULTICLIENT ?= $(B)/multiclient/multiclient

VERSION := $(shell sed -n 's/^.define VERSION "\(.*\)"/\1/p' include/version.h)

# The server and its tests. multiclient and its tests have only the headers of multiclient.
INCLUDES = -Iinclude
MULTICLIENT_INCLUDES = -Imulticlient -DVERSION='"$(VERSION)"'
TEST_INCLUDES = -Itests/support

COMPILE = $(CC) $(FEATURES) $(WARNINGS) $(VARIANT_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(INCLUDES) -pthread
LINK    = $(CC) $(CFLAGS) $(VARIANT_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -pthread

# objects PATTERN,SOURCES: the objects of the sources that match PATTERN and are not among SOURCES.
objects = $(patsubst %.c,$(B)/%.o,$(filter-out $(2),$(wildcard $(1))))

SMTPD_OBJECTS       := $(call objects,src/*.c)
SMTPD_LIB           := $(call objects,src/*.c,src/main.c)
MULTICLIENT_OBJECTS := $(call objects,multiclient/*.c)
MULTICLIENT_LIB     := $(call objects,multiclient/*.c,multiclient/main.c)

SOURCES := $(wildcard src/*.c multiclient/*.c tests/*/*.c)
MULTICLIENT_SOURCES := $(wildcard multiclient/*.c tests/multiclient/*.c)
HEADERS := $(wildcard include/*.h multiclient/*.h tests/*/*.h)

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

all: $(SMTPD) $(MULTICLIENT) ## build smtpd and multiclient/multiclient (the default)

run: $(SMTPD) ## build smtpd and run it on port 8765
	@./$(SMTPD)

$(SMTPD): $(SMTPD_OBJECTS)
	$(LINK) -o $@ $(SMTPD_OBJECTS) $(LDLIBS)

$(MULTICLIENT): $(MULTICLIENT_OBJECTS)
	@mkdir -p $(@D)
	$(LINK) -o $@ $(MULTICLIENT_OBJECTS) $(LDLIBS)

$(B)/multiclient/%.o: INCLUDES = $(MULTICLIENT_INCLUDES)

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

# Compile all files again when the compiler, its flags or the version changes.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILE) $(VARIANT_LDFLAGS) $(VERSION)' | cmp -s - $@ || \
		echo '$(COMPILE) $(VARIANT_LDFLAGS) $(VERSION)' >$@

include tests/tests.mk

# What the scripts find in their environment.
ENVIRONMENT = SMTPD='$(abspath $(SMTPD))' MULTICLIENT='$(abspath $(MULTICLIENT))' \
	BUILD='$(abspath $(B))' VARIANT='$(VARIANT)'

# What `make check` runs of the targets below, shortened where it takes long.
SHORT_FORMS = 'scripts/stress -q -n 2000 --timeout 1' 'scripts/check-mailbox2mbox --short'
ifeq ($(VARIANT),plain)
SHORT_FORMS += 'scripts/check-faults --short' 'scripts/fuzz replay' scripts/check-calls
SHORT_FORM_PROGRAMS = fault-programs replays bench-programs
endif

check: $(SMTPD) $(MULTICLIENT) $(TESTS) $(SHORT_FORM_PROGRAMS) ## run the tests (SANITIZE=thread or address)
	@$(ENVIRONMENT) scripts/run-tests $(TESTS) $(SHORT_FORMS)

stress: $(SMTPD) $(MULTICLIENT) ## run multiclient against a private server
	@$(ENVIRONMENT) scripts/stress

check-faults: all fault-programs ## inject faults: failing calls, SIGKILL, power loss
	@$(ENVIRONMENT) scripts/check-faults $(OPTIONS)

fuzz: fuzzers ## fuzz with libFuzzer for SECONDS (60)
	@$(ENVIRONMENT) scripts/fuzz $(or $(SECONDS),60)

soak: all soak-program ## mix hostile and normal clients for SECONDS (300)
	@$(ENVIRONMENT) scripts/soak $(or $(SECONDS),300)

coverage: ## measure line and branch coverage with gcov
	@scripts/coverage

check-interop: all ## test with real mail programs, SMTP and ESMTP
	@$(ENVIRONMENT) scripts/check-interop

check-build: ## test the build: flags, 32 bits, spaces, install
	@CC='$(CC)' scripts/check-build

check-model: ## model-check monitors and mailbox.commit with spin
	@scripts/check-model

check-pages: all ## lint the manual pages, compare them with --help
	@$(ENVIRONMENT) scripts/check-pages

check-readme: all ## run the commands of README.txt and the manual pages
	@$(ENVIRONMENT) scripts/check-readme

check-mailbox2mbox: all ## test the conversion to mbox with mail readers
	@$(ENVIRONMENT) scripts/check-mailbox2mbox

check-service: all service-programs ## test the systemd units, activation and readiness
	@$(ENVIRONMENT) scripts/check-service

check-haproxy: all service-programs ## test three servers behind HAProxy, one of them killed
	@$(ENVIRONMENT) scripts/check-haproxy

check-calls: all bench-programs ## count the system calls of a message with strace
	@$(ENVIRONMENT) scripts/check-calls

# The files of the container image: the server, linked statically with musl, and an empty directory.
container-context:
	@scripts/setup musl
	@$(MAKE) -s B=build/musl SMTPD=build/musl/smtpd CC=musl-gcc LDFLAGS='-static -s' build/musl/smtpd
	@mkdir -p build/container/mail
	@cp build/musl/smtpd build/container

container: container-context ## build the container image `smtpd` with podman
	podman build -t smtpd -f scripts/Containerfile build/container

check-container: service-programs ## build and run the container image with podman
	@$(ENVIRONMENT) scripts/check-container

bench: all bench-programs ## benchmark against a ceiling and other servers
	@$(ENVIRONMENT) CC='$(CC)' scripts/bench $(OPTIONS)

INSTALL = install
PREFIX ?= /usr/local
BINDIR  = $(PREFIX)/bin
MANDIR  = $(PREFIX)/share/man
UNITDIR = $(PREFIX)/lib/systemd/system

# IN_UNIT is EXECUTABLE as the replacement text of sed, for which & is escaped, and as systemd reads
# it: with % doubled and, if it has a space, in quotes.
EXECUTABLE  = $(BINDIR)/smtpd
IN_UNIT     = $(subst &,\&,$(subst %,%%,$(if $(word 2,$(EXECUTABLE)),"$(EXECUTABLE)",$(EXECUTABLE))))

install: all ## install (PREFIX, BINDIR, DESTDIR)
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man8' \
		'$(DESTDIR)$(UNITDIR)'
	$(INSTALL) -m 755 $(SMTPD) $(MULTICLIENT) scripts/mailbox2mbox '$(DESTDIR)$(BINDIR)'
	$(INSTALL) -m 644 src/smtpd.8 '$(DESTDIR)$(MANDIR)/man8'
	$(INSTALL) -m 644 multiclient/multiclient.1 scripts/mailbox2mbox.1 '$(DESTDIR)$(MANDIR)/man1'
	$(INSTALL) -m 644 scripts/smtpd.socket '$(DESTDIR)$(UNITDIR)'
	sed 's|^ExecStart=/usr/local/bin/smtpd|ExecStart=$(IN_UNIT)|' scripts/smtpd.service \
		>'$(DESTDIR)$(UNITDIR)/smtpd.service'
	chmod 644 '$(DESTDIR)$(UNITDIR)/smtpd.service'

uninstall: ## remove the installed files
	rm -f '$(DESTDIR)$(BINDIR)/smtpd' '$(DESTDIR)$(BINDIR)/multiclient' \
		'$(DESTDIR)$(BINDIR)/mailbox2mbox' '$(DESTDIR)$(MANDIR)/man8/smtpd.8' \
		'$(DESTDIR)$(MANDIR)/man1/multiclient.1' '$(DESTDIR)$(MANDIR)/man1/mailbox2mbox.1' \
		'$(DESTDIR)$(UNITDIR)/smtpd.service' '$(DESTDIR)$(UNITDIR)/smtpd.socket'

dist: ## make build/smtpd-VERSION.tar.gz from HEAD
	@[ -e .git ] || { echo 'make dist: $(CURDIR): not a git checkout' >&2; exit 1; }
	@mkdir -p build
	git archive --prefix=smtpd-$(VERSION)/ -o build/smtpd-$(VERSION).tar.gz HEAD

# Words for which the field has others: module, space, again.
UNWANTED = 'rooms?|whoever|anew|afresh'

CPPCHECK = --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	--inline-suppr --suppress=missingIncludeSystem
# tidy SOURCES INCLUDES: run clang-tidy.
tidy = printf '%s\n' $(1) | xargs -P 2 -n 4 sh -c \
	'clang-tidy --quiet "$$@" -- $(FEATURES) $(2) 2>/dev/null' lint

# `all`, because check-readme asks the programs for --help; Check, because clang-tidy reads check.h.
lint: all build/check.libs ## lint: format, cppcheck, clang-tidy, words, names, modules
	clang-format --dry-run -Werror $(SOURCES) $(HEADERS)
	! expand $(SOURCES) $(HEADERS) | grep -nE '^.{101}'
	! wc -l src/*.c multiclient/*.c | grep -v ' total$$' | awk '$$1 > 450' | grep .
	cppcheck $(CPPCHECK) $(INCLUDES) $(TEST_INCLUDES) $(filter-out $(MULTICLIENT_SOURCES),$(SOURCES))
	cppcheck $(CPPCHECK) $(MULTICLIENT_INCLUDES) $(TEST_INCLUDES) $(MULTICLIENT_SOURCES)
	$(call tidy,$(filter-out $(MULTICLIENT_SOURCES),$(SOURCES)),$(INCLUDES) $(TEST_INCLUDES))
	$(call tidy,$(MULTICLIENT_SOURCES),-Imulticlient $(TEST_INCLUDES) -DVERSION=\"\")
	! grep -rnwiE --exclude-dir=corpus $(UNWANTED) \
		src include multiclient/*.[ch1] tests scripts README.txt
	! grep -v '^UNWANTED' Makefile | grep -nwiE $(UNWANTED)
	scripts/check-readme --names
	scripts/check-modules $(B)/src $(B)/multiclient

format: ## format the sources with clang-format
	clang-format -i $(SOURCES) $(HEADERS)

clean: ## remove everything that was built
	rm -rf build smtpd multiclient/multiclient

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 27

FORCE:
.PHONY: all run check check-faults fuzz soak coverage check-build check-interop check-model check-pages check-readme check-mailbox2mbox \
	check-service check-haproxy check-calls container container-context check-container stress bench install uninstall dist lint format clean help FORCE

-include $(shell find $(B) build/fuzz -name '*.d' 2>/dev/null)
