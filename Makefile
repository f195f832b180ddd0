# The commands of the suite. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment is made again only when a pinned version changes, or the checkout has moved.
PINS := $(shell (echo "$(CURDIR)"; grep -h '==' pyproject.toml constraints.txt) | cksum | cut -d ' ' -f 1)
READY := $(VENV)/.ready-$(PINS)
READ := .venv-read
# The linter of the pages' scripts; npm fetches it once. Where it is not at hand that is said, and nothing fails.
NPX ?= npx
BIOME := npm_config_fetch_retries=0 npm_config_fetch_timeout=20000 $(NPX) --yes --prefer-offline @biomejs/biome@2.6.8
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# What an environment of containers often asks for: modules that are compiled anew at each import, which makes an
# import of what a chapter needs take 10 s of a core in place of 4.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env book first-pages own-chapters own-pages own-check read test test-all lint lint-scripts bench clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

HOW_FAR = mb=$$({ du -sm $* | cut -f 1; } 2>/dev/null); all=$(if $(EXTRAS),7300,500); [ "$$UV_TORCH_BACKEND" != cpu ] || all=3300; \
  s=$$(($$(date +%s) - began)); [ "$${mb:-0}" -lt $$((all / 20)) ] || \
  printf '\r%s of about %s MB, about %s s left   ' $$mb $$all $$((mb < all ? s * (all - mb) / mb : 0)) >&2
PIP = $*/bin/python -m pip --quiet --disable-pip-version-check
env: $(READY) ## make the Python environment in .venv (about 7.1 GB, a minute)

$(READY): EXTRAS := [chapters,dev,course]
%/.ready-$(PINS):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo absent)." \
	    "(For 3.14 \`immutables\`, which Snakemake needs, has no wheel.)"; \
	  echo "Install one and name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in $* (once; $(if $(EXTRAS),a minute or two,seconds)) ..."
	@# Scripts of an environment name its folder: one that was moved is of no use.
	@[ ! -f $*/pyvenv.cfg ] || grep -qsF "$(abspath $*/bin)/" $*/bin/pip || rm -rf $*
	@$(PYTHON) -m venv $*
	@# uv takes a third of pip's time. It does not read pip's settings: where they name an index, or uv fails, pip installs.
	@# Not compiled: most of the modules are never imported, and those that are compile themselves.
	@# On a terminal one line says how far it is: uv's own bars tell no time left, and list all packages at the end.
	@[ ! -t 2 ] || { began=$$(date +%s); while sleep 1; kill -0 $$$$ 2>/dev/null; do $(HOW_FAR); done & watch=$$!; }; \
	{ ! $*/bin/pip config list | grep -q 'index-url=.*http' && $(PIP) install -c constraints.txt uv && \
	  $*/bin/uv pip install --quiet --python $*/bin/python --cache-dir $*/.uv -c constraints.txt -e '.$(EXTRAS)'; } || { \
	  [ -z "$$UV_TORCH_BACKEND" ] || echo "UV_TORCH_BACKEND does not count here: pip installs, and takes its index's torch."; \
	  $(PIP) install --no-compile -c constraints.txt -e '.$(EXTRAS)'; }; rc=$$?; \
	[ -z "$$watch" ] || { { kill $$watch; wait $$watch; } 2>/dev/null; printf '\r%64s\r' '' >&2; }; exit $$rc
	@rm -rf $*/.uv
	@rm -f $*/.ready-*
	@touch $@
	@$(if $(filter env,$(MAKECMDGOALS)),echo "Next: make book; or: source $*/bin/activate; ferbook --help")

PAGES := _build/html/index.html
book: $(READY) ## run every chapter on the embedded faces, build the book, execute one chapter again
	@$(MAKE) --no-print-directory -j 2 first-pages own-chapters
	@$(MAKE) --no-print-directory -j 2 own-pages own-check
	@echo "Your run stands in the book: file://$(CURDIR)/$(PAGES)"

# Pages are built on one core, so beside something else, and without a word: progress bars are drawn meanwhile.
first-pages: LOG := _build/first-pages.log
first-pages:
	@# Once: what the committed run shows can be read while the chapters are executed here.
	@mkdir -p _build; [ -f $(PAGES) ] || printf 'In half a minute: '
	@run=$$(sed -n 's/.*"run": *"\([^"]*\)".*/\1/p' $(dir $(PAGES)).build.json 2>/dev/null); \
	  echo "Open the book: file://$(CURDIR)/$(PAGES)  Its numbers are of the run $${run:-reference} until your own stands there."
	@[ -f $(PAGES) ] || $(BIN)/ferbook build --run reference > $(LOG) 2>&1 || { cat $(LOG); exit 1; }

own-chapters:
	$(BIN)/ferbook run --profile laptop --update

own-pages:
	$(BIN)/ferbook build --run laptop

own-check:
	$(BIN)/ferbook check --run laptop --one

read: $(READ)/.ready-$(PINS) ## only read: a small environment without torch, and the pages of the run that comes along
	@echo "In half a minute: Open the book: file://$(CURDIR)/$(PAGES)"
	@$(READ)/bin/ferbook build --run reference

lint: $(READY) lint-scripts ## formatter and linters
	$(BIN)/ruff format --check .
	$(BIN)/ruff format --check --isolated --line-length 84 book/*/*.ipynb assignments/*/*.ipynb
	$(BIN)/ruff check .

lint-scripts:
	@if ! command -v $(NPX) >/dev/null; then echo "not tested: the scripts of the pages: Node.js, which has npx, is not here"; \
	  [ -z "$(GUARDS)" ]; \
	elif ! $(BIOME) --version >/dev/null 2>&1; then echo "not tested: the scripts of the pages: npm cannot fetch their linter here"; \
	else $(BIOME) lint --error-on-warnings book/_static; fi

# Workers of one thread each: networks this small gain little from a second thread. Three on two cores, since a worker
# often waits: for a kernel, a browser, a limit of time.
test: lint ## formatter, linter, and the tests that need neither minutes, a browser nor a cluster
	$(PYTEST) $(GUARDS) -m "not slow and not browser and not cluster"

test-all: lint ## every test, the slow ones too
	$(PYTEST)

RATIOS := deconv lstm nulls training

bench: $(READY) ## the benchmarks that end with ratios; those of five turns or more go into the book
	@# Not into the checkout before the end: the commit that a row names would have changes. One thread: a processor's
	@# clock counts one that waits.
	@mkdir -p _build && cp book/benchmarks.csv _build/ && export BENCH_CSV=_build/benchmarks.csv OMP_NUM_THREADS=1 && \
	for file in $(RATIOS:%=benchmarks/%.py); do echo "$$file"; $(BIN)/python $$file || exit 1; done
	@cp _build/benchmarks.csv book/

clean: ## remove the built book and the caches; runs and the environment stay
	rm -rf _build .cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
