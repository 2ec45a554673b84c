# Surehook. `make help` lists the targets; `make` alone installs what is missing and builds.
#
# One binary, seven layers. Every layer is an archive; a test binary is linked with the archives of
# its layer and those below, so that a test cannot reach upwards. Each mode (release, asan, tsan,
# coverage, fuzz) has its own object folder below build/.

VERSION := 0.1.0
MODE    ?= release
LAYERS  := base store dispatcher http ingest admin cli

OUT     := build
ifneq ($(MODE),release)
OUT     := build/$(MODE)
endif
RESULTS := $(OUT)/results
PREFIX  ?= /usr/local

# ---- What has to be installed ------------------------------------------------------------------
# Debian packages, by what they are needed for. A stamp for each remembers that they were there.

DEPS           := build/deps
PACKAGES_build := build-essential pkg-config libmicrohttpd-dev libcurl4-openssl-dev liblmdb-dev \
                  libjansson-dev libssl-dev libxxhash-dev libyaml-dev
PACKAGES_test  := libcmocka-dev python3 python3-venv curl ca-certificates iproute2 util-linux mount
# The tests behind a proxy start their own; without the packages they are skipped, but not in CI.
PACKAGES_proxy := nginx-light haproxy
PACKAGES_lint  := clang-format cppcheck python3 git
PACKAGES_analyze := clang-tidy gcc python3
# Only what fuzzes is built by clang: libFuzzer is its.
PACKAGES_fuzz  := clang libclang-rt-dev python3

# ---- Flags -------------------------------------------------------------------------------------

PKGS   := libmicrohttpd libcurl lmdb jansson libcrypto yaml-0.1
WARN   := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
          -Wformat=2 -Wno-sign-conversion
WERROR := $(if $(CI),-Werror)
# Hidden, or a function of ours would replace one of the same name inside a shared library.
HARDEN := -fPIE -fvisibility=hidden
LDHARD := -pie -Wl,-z,relro,-z,now

ifeq ($(MODE),asan)
OPT    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(MODE),tsan)
OPT    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
# What base/hash.c calls there.
LDLIBS += -lxxhash
else ifeq ($(MODE),coverage)
OPT    := -O0 -g --coverage -fprofile-update=atomic
else ifeq ($(MODE),fuzz)
# An empty span may have no pointer, and clang minds that it is stepped by nothing.
OPT    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
          -fno-sanitize-recover=undefined -fno-sanitize=pointer-overflow
WARN   := -w
else
OPT    := -O2 -g
HARDEN += -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# pkg-config is asked once, when the first recipe needs the answer: by then `deps` has installed it.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

CPPFLAGS += -I. -D_GNU_SOURCE -DSUREHOOK_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
CFLAGS   += -std=c11 $(OPT) $(WARN) $(WERROR) $(HARDEN) -include base/banned.h -MMD -MP -pthread
LDFLAGS  += $(OPT) $(LDHARD) -pthread
LDLIBS   += $(PKG_LIBS) -lm

Q := $(if $(V),,@)

# ---- The program -------------------------------------------------------------------------------

.PHONY: all
all: $(OUT)/surehook ## build build/surehook (the default; V=1 shows the commands)

sources = $(filter-out cli/main.c,$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

LIBS_base       := $(OUT)/libbase.a
LIBS_store      := $(OUT)/libstore.a $(LIBS_base)
LIBS_dispatcher := $(OUT)/libdispatcher.a $(LIBS_store)
LIBS_http       := $(OUT)/libhttp.a $(LIBS_store)
LIBS_ingest     := $(OUT)/libingest.a $(OUT)/libhttp.a $(LIBS_dispatcher)
LIBS_admin      := $(OUT)/libadmin.a $(OUT)/libhttp.a $(LIBS_dispatcher)
LIBS_cli        := $(OUT)/libcli.a $(OUT)/libadmin.a $(LIBS_ingest)

TEST_SOURCES := $(foreach layer,$(LAYERS),$(wildcard tests/$(layer)/*_test.c))
FUZZ         := $(patsubst %.c,$(OUT)/%,$(wildcard tests/fuzz/*_fuzz.c))
TESTS        := $(patsubst %.c,$(OUT)/%,$(TEST_SOURCES)) $(FUZZ)
BENCH        := $(patsubst tests/%.c,$(OUT)/%,$(wildcard tests/bench/*.c))

$(OUT)/surehook: $(OUT)/obj/cli/main.o $(LIBS_cli)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

ifeq ($(MODE),coverage)
$(OUT)/surehook: $(OUT)/obj/tests/coverage/flush.o
$(OUT)/surehook: LDFLAGS += -Wl,--wrap=_exit -Wl,--wrap=abort
endif

# In here every variable of a recipe needs $$: with one $ it would be expanded before `deps` has run.
define layer
$(OUT)/lib$(1).a: $(call objects,$(call sources,$(1)))
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
$(OUT)/tests/$(1)/%: $(OUT)/obj/tests/$(1)/%.o $(LIBS_$(1))
	@mkdir -p $$(@D)
	@echo "LINK $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach name,$(LAYERS),$(eval $(call layer,$(name))))

$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The sweeps of store/ stand between it and what it calls (tests/store/fault.h).
SWEEPS    := $(filter $(OUT)/tests/store/sweep_% $(addprefix $(OUT)/tests/store/,check_page_test \
             check_row_test model_test task_step_test tree_test),$(TESTS))
FAULTABLE := mdb_env_create mdb_env_open mdb_env_sync mdb_env_copy2 mdb_txn_begin \
             mdb_txn_renew mdb_txn_commit mdb_dbi_open mdb_get mdb_put mdb_del mdb_cursor_open \
             mdb_cursor_get mdb_cursor_del mdb_env_copyfd2 mdb_dbi_flags \
             malloc calloc realloc strdup pthread_create open opendir fsync flock mkdir rmdir chmod \
             unlink rename access fstat mmap fallocate \
             EVP_CIPHER_CTX_new EVP_KDF_fetch EVP_KDF_CTX_new EVP_KDF_derive EVP_EncryptInit_ex2

$(SWEEPS): $(OUT)/obj/tests/store/fault.o
$(SWEEPS): LDFLAGS += $(FAULTABLE:%=-Wl,--wrap=%)

# Fuzz targets: among the tests each is linked with a driver that shows it its corpus, in MODE=fuzz
# with libFuzzer.
FUZZ_DRIVER := $(if $(filter fuzz,$(MODE)),,$(OUT)/obj/tests/fuzz/replay.o)

$(OUT)/tests/fuzz/%: $(OUT)/obj/tests/fuzz/%.o $(FUZZ_DRIVER) $(LIBS_cli)
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS) $(if $(FUZZ_DRIVER),,-fsanitize=fuzzer) -o $@ $^ $(LDLIBS)

# Fault experiments: programs on the store, and libraries that are preloaded into the service.
FAULTS := $(addprefix $(OUT)/faults/,cut rot witness disk.so memory.so surehook)

$(OUT)/faults/cut: $(patsubst %,$(OUT)/obj/tests/faults/%.o,cut crash_disk ledger) $(LIBS_store)
$(OUT)/faults/rot: $(patsubst %,$(OUT)/obj/tests/faults/%.o,rot ledger) $(LIBS_store)
$(OUT)/faults/witness: $(patsubst %,$(OUT)/obj/tests/faults/%.o,witness witness_post witness_take) $(LIBS_base)
$(OUT)/faults/cut $(OUT)/faults/rot $(OUT)/faults/witness:
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/faults/%.so: tests/faults/%.c tests/faults/control.c $(wildcard tests/faults/*.h) | $(DEPS)/build
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=c11 -O2 -g $(WARN) $(WERROR) -include base/banned.h -fPIC \
	    -fvisibility=hidden -pthread -shared -o $@ $(filter %.c,$^)

# The program with the fail points of base/failpoint.h: the files that have them, built once more, come
# before the archives with the others.
FAIL_OBJECTS := $(patsubst %.c,$(OUT)/obj/fail/%.o,$(shell grep -lE 'FAILPOINT|INDEX_TABLE_BYTES' \
                $(foreach layer,$(LAYERS),$(wildcard $(layer)/*.c))))

$(OUT)/obj/fail/%.o: %.c | $(DEPS)/build
	@mkdir -p $(@D)
	@echo "CC   $< (fail points)"
	$(Q)$(CC) $(CPPFLAGS) -DSUREHOOK_FAILPOINTS $(CFLAGS) -c -o $@ $<

$(OUT)/faults/surehook: $(OUT)/obj/cli/main.o $(FAIL_OBJECTS) $(LIBS_cli)
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The receiver that misbehaves in every way.
CHAOS := $(OUT)/chaos/chaos

$(CHAOS): $(OUT)/obj/tests/chaos/chaos.o $(LIBS_http)
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The guard's verdicts for the SSRF tests.
$(OUT)/ssrf/judge: $(OUT)/obj/tests/ssrf/judge.o $(LIBS_dispatcher)
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/obj/%.o: %.c | $(DEPS)/build
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(call objects,$(TEST_SOURCES)): | $(DEPS)/test

.PRECIOUS: $(OUT)/obj/%.o
-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

.PHONY: run
run: all ## serve on 127.0.0.1:8071 with the data in ./data; endpoints on this machine allowed
	$(OUT)/surehook serve --listen 127.0.0.1:8071 --data data --allow-subnets 127.0.0.0/8

.PHONY: demo
demo: all ## the life of a webhook, from POST to replay, within a minute
	@tests/demo.sh $(OUT)/surehook

# ---- Tests -------------------------------------------------------------------------------------
# Every runner leaves its results below build/results; the tally sums them in one last line.

WORKERS ?= $(shell expr 3 \* $$(nproc))
VENV    := .venv/ready
PYTEST  := SUREHOOK_BINARY=$(abspath $(OUT)/surehook) .venv/bin/pytest -q -rs

# pytest FOLDER RESULT: an exit status other than "passed" and "some failed" is a failure, too.
# Data directories are in a folder of the run's own: with pytest's shared one, one run may clear
# what another uses.
# Workers get a test at a time: with a share each, one would have most of the long ones.
pytest = scratch=$$(mktemp -d) && \
         { $(PYTEST) -n $(WORKERS) --maxschedchunk=1 --basetemp=$$scratch/t --junitxml=$(2).xml $(1) || [ $$? -eq 1 ] || \
           echo "not ok - pytest $(1)" >$(2).tap; }; rm -rf "$$scratch"

$(VENV): tests/api/requirements.txt | $(DEPS)/test
	python3 -m venv .venv
	.venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

.PHONY: programs
programs: all $(CHAOS) $(TESTS) $(FAULTS) $(BENCH) $(OUT)/ssrf/judge ## all that tests and experiments run

.PHONY: test
test: all $(CHAOS) $(TESTS) $(VENV) ## all tests: unit and API
	@rm -rf $(RESULTS)/test
	@tests/unit.sh $(RESULTS)/test $(TESTS) || true
	@$(call pytest,tests/api tests/proxy,$(RESULTS)/test/api)
	@python3 tests/tally.py $(RESULTS)/test

.PHONY: unit
unit: $(TESTS) ## the unit tests alone
	@rm -rf $(RESULTS)/unit
	@tests/unit.sh $(RESULTS)/unit $(TESTS) || true
	@python3 tests/tally.py $(RESULTS)/unit

FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 60
FUZZ_JOBS    ?= $(if $(CI),8,2)
FUZZ_SEED    ?= $(if $(CI),1,0)

# Without clang it is skipped, but not in CI.
.PHONY: fuzz
fuzz: | $(DEPS)/fuzz ## every parser of outside bytes under libFuzzer for a minute (FUZZ_SECONDS, FUZZ_SEED)
	@if command -v $(FUZZ_CC) >/dev/null; then $(MAKE) MODE=fuzz CC="$(FUZZ_CC)" fuzz-run; else \
	    echo "fuzz: SKIPPED, there is no $(FUZZ_CC) here"; [ -z "$(CI)" ]; fi

.PHONY: fuzz-run
fuzz-run: $(FUZZ)
	@rm -rf $(RESULTS)/fuzz
	@python3 tests/fuzz/run.py $(RESULTS)/fuzz $(FUZZ) --seconds $(FUZZ_SECONDS) --jobs $(FUZZ_JOBS) \
	    --seed $(FUZZ_SEED) $(FUZZ_OPTIONS)
	@python3 tests/tally.py $(RESULTS)/fuzz

.PHONY: simulate
simulate: $(OUT)/tests/dispatcher/sim_test ## 10,000 worlds of the dispatcher on a virtual clock
	@rm -rf $(RESULTS)/simulate
	@mkdir -p $(RESULTS)/simulate
	@$< --seeds 1 10000 >$(RESULTS)/simulate/sim.tap || \
	    echo "not ok - simulation" >>$(RESULTS)/simulate/sim.tap
	@python3 tests/tally.py $(RESULTS)/simulate

.PHONY: crash
crash: all $(VENV) ## kill -9 under load, with a ledger outside
	@rm -rf $(RESULTS)/crash
	@mkdir -p $(RESULTS)/crash
	@$(call pytest,tests/faults,$(RESULTS)/crash/faults)
	@python3 tests/tally.py $(RESULTS)/crash

.PHONY: faults
faults: all $(FAULTS) $(BENCH) $(VENV) ## power cuts, disk errors, no memory, kill -9, overload, …: one table
	@rm -rf $(RESULTS)/faults
	@SUREHOOK_BINARY=$(abspath $(OUT)/surehook) .venv/bin/python tests/faults/run.py \
	    $(RESULTS)/faults $(FAULTS_OPTIONS)

.PHONY: isolation
isolation: all $(BENCH) $(CHAOS) $(VENV) ## what healthy endpoints get alone and beside sick ones, as one table
	@rm -rf $(RESULTS)/isolation
	@.venv/bin/python tests/isolation/isolation.py $(OUT) $(RESULTS)/isolation $(ISOLATION_OPTIONS)

# The namespaces are one for all of its tests, so that they run one after another.
ssrf: WORKERS := 0
ssrf: PYTEST := tests/ssrf/enter.sh env SSRF_JUDGE=$(abspath $(OUT)/ssrf/judge) $(PYTEST) -rs

.PHONY: ssrf
ssrf: all $(OUT)/ssrf/judge $(VENV) ## no URL reaches an internal address, in a network namespace; the guard's verdicts
	@rm -rf $(RESULTS)/ssrf
	@mkdir -p $(RESULTS)/ssrf
	@$(call pytest,tests/ssrf,$(RESULTS)/ssrf/ssrf)
	@python3 tests/tally.py $(RESULTS)/ssrf

.PHONY: test-sdks
test-sdks: all ## the official SDKs of other languages (JavaScript, Go, Rust) against the service
	@python3 tests/sdks/run.py $(RESULTS)/sdks $(OUT)/surehook $(OUT)/sdks
	@python3 tests/tally.py $(RESULTS)/sdks

.PHONY: asan tsan
asan tsan: ## all tests under the address and undefined, or the thread sanitizer
	@$(MAKE) MODE=$@ test

.PHONY: bench
bench: all $(BENCH) ## throughput and latency beside the floor, as one table
	python3 tests/bench/run.py $(OUT) $(BENCH_OPTIONS)

# The whole suite on a program that counts which of its lines and branches run.
.PHONY: coverage
coverage: ## lines and error branches that all tests reach, against a floor (build/coverage/coverage.txt)
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) MODE=coverage test ssrf
	@python3 tests/coverage/report.py build/coverage

.PHONY: lint
lint: | $(DEPS)/lint ## structure, format and static analysis
	@tests/lint/run.sh $(RESULTS)/lint

.PHONY: analyze
analyze: export ANALYZE_FLAGS = $(CPPFLAGS) -std=c11 -include base/banned.h
analyze: | $(DEPS)/build $(DEPS)/analyze ## clang-tidy and gcc -fanalyzer, of what changed since the last time
	@CC="$(CC)" python3 tests/lint/analyze.py build/analyze $(RESULTS)/analyze \
	    $(foreach layer,$(LAYERS),$(wildcard $(layer)/*.c))

.PHONY: fmt
fmt: | $(DEPS)/lint ## format the C code
	git ls-files --cached --others --exclude-standard '*.c' '*.h' | xargs clang-format -i

# ---- Around it ---------------------------------------------------------------------------------

.PHONY: deps
deps: $(DEPS)/build $(DEPS)/test $(DEPS)/proxy $(DEPS)/lint ## install what building, testing and lint need

$(DEPS)/%: Makefile
	@.ci/deps $(PACKAGES_$*)
	@mkdir -p $(@D)
	@touch $@

.PHONY: install
install: all ## install the program and its systemd unit (DESTDIR, PREFIX)
	install -D -m 755 $(OUT)/surehook $(DESTDIR)$(PREFIX)/bin/surehook
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' cli/surehook.service.in \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/surehook.service

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build .venv

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
