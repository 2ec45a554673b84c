# Surehook. `make help` lists the targets.
#
# One binary, seven layers. Every layer is an archive; a test binary is linked with the archives of
# its layer and those below, so that a test cannot reach upwards. Each mode (release, asan, tsan)
# has its own object folder below build/.

VERSION := 0.1.0
MODE    ?= release
LAYERS  := base store dispatcher http ingest admin cli

OUT  := build
ifneq ($(MODE),release)
OUT  := build/$(MODE)
endif

CC      ?= cc
PKGS    := libmicrohttpd libcurl lmdb jansson libcrypto
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
           -Wformat=2 -Wno-sign-conversion
HARDEN  := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
LDHARD  := -pie -Wl,-z,relro,-z,now
OPT     := -O2 -g
WERROR  := $(if $(CI),-Werror)

ifeq ($(MODE),asan)
OPT     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN  := -fPIE
LDHARD  := -pie
endif
ifeq ($(MODE),tsan)
OPT     := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
HARDEN  := -fPIE
LDHARD  := -pie
endif

CPPFLAGS += -I. -D_GNU_SOURCE -DSUREHOOK_VERSION='"$(VERSION)"'
CFLAGS   += -std=c11 $(OPT) $(WARN) $(WERROR) $(HARDEN) -include base/banned.h -MMD -MP -pthread
LDFLAGS  += $(OPT) $(LDHARD) -pthread
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm
CPPFLAGS += $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

sources  = $(filter-out cli/main.c,$(wildcard $(1)/*.c))
objects  = $(patsubst %.c,$(OUT)/obj/%.o,$(call sources,$(1)))

LIBS_base       := $(OUT)/libbase.a
LIBS_store      := $(OUT)/libstore.a $(LIBS_base)
LIBS_dispatcher := $(OUT)/libdispatcher.a $(LIBS_store)
LIBS_http       := $(OUT)/libhttp.a $(LIBS_store)
LIBS_ingest     := $(OUT)/libingest.a $(OUT)/libhttp.a $(LIBS_dispatcher)
LIBS_admin      := $(OUT)/libadmin.a $(OUT)/libhttp.a $(LIBS_dispatcher)
LIBS_cli        := $(OUT)/libcli.a $(OUT)/libadmin.a $(LIBS_ingest)

TESTS := $(patsubst %.c,$(OUT)/%,$(foreach l,$(LAYERS),$(wildcard tests/$(l)/*_test.c)))

.PHONY: all
all: $(OUT)/surehook

$(OUT)/surehook: $(OUT)/obj/cli/main.o $(LIBS_cli)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

define layer
$(OUT)/lib$(1).a: $(call objects,$(1))
	@rm -f $$@
	$(AR) rcs $$@ $$^
$(OUT)/tests/$(1)/%: $(OUT)/obj/tests/$(1)/%.o $(LIBS_$(1))
	@mkdir -p $$(@D)
	$(CC) $(LDFLAGS) -o $$@ $$^ -lcmocka $(LDLIBS)
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

.PHONY: unit
unit: $(TESTS)
	@for t in $(TESTS); do echo "== $$t"; $$t || exit 1; done

.PRECIOUS: $(OUT)/obj/%.o
-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
