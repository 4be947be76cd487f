# make install | make demo | make test | make lint | make types | make docs

RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(RECENT)' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin

.PHONY: install demo test lint types docs

install: .venv/developer

demo: $(BIN)/armillary
	$(BIN)/armillary demo output=demo

test: .venv/developer
	$(BIN)/python -m pytest -n auto

lint: .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/developer
	$(BIN)/pyright

docs: .venv/developer
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Armillary needs Python 3.11 or newer; none was found." \
		"Install one or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c '$(RECENT)' || { echo "Armillary needs Python 3.11 or newer;" \
		"$(PYTHON) is $$($(PYTHON) --version)."; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Cannot create a virtual environment." \
		"On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }

$(BIN)/armillary: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -e .
	@touch $@

.venv/developer: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -e ".[dev]"
	@touch $(BIN)/armillary $@
