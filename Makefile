# PYTHON chooses the interpreter; one other than python3 gets a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PY := $(BIN)/python
PORT ?= 8001
# The checks read no developer's .env.
PLAIN := DJANGO_ENV_FILE=/dev/null
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test test-postgres check bench lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed .env ## set up what is missing, then serve the project and MCP on PORT (8001)
	@$(PY) -m deploy.run --port $(PORT)

test: $(VENV)/.installed-dev ## run the tests on SQLite; ARGS="tests/shop -k order" chooses some
	@$(PY) -m pytest $(ARGS)

test-postgres: $(VENV)/.installed-dev ## run the tests on a private PostgreSQL that lives as long as they do
	@$(PY) tests/postgres.py $(PY) -m pytest $(ARGS)

check: $(VENV)/.installed-dev ## lint, types, import rules, migrations, production settings, lock files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@DJANGO_DEBUG=true $(PLAIN) $(PY) manage.py makemigrations --check --dry-run
	@DJANGO_SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(48))') DJANGO_ALLOWED_HOSTS=example.com \
		$(PLAIN) $(PY) manage.py check --deploy --fail-level WARNING
	@PATH=$(BIN):$$PATH sh deploy/lock.sh --check

bench: $(VENV)/.installed-dev ## measure the speed of a tool call; see benchmarks/
	@$(PY) -m benchmarks $(ARGS)

lock: $(VENV)/.installed-dev ## pin what pyproject.toml asks for
	@PATH=$(BIN):$$PATH sh deploy/lock.sh

clean: ## remove the virtual environments and caches; the database and .env stay
	rm -rf .venv* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.env:
	@$(PYTHON) deploy/new_env.py

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is too old: Python 3.11 or newer is needed; choose one with PYTHON=...")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }

# The stamps make a second run start at once and follow the lock files.
$(VENV)/.installed: requirements.txt | $(PY)
	@echo "Installing requirements into $(VENV) (a minute at first)"
	@$(PY) -m pip install -qq --requirement requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(PY)
	@echo "Installing requirements-dev into $(VENV) (a minute at first)"
	@$(PY) -m pip install -qq --requirement requirements-dev.txt
	@touch $@ $(VENV)/.installed
