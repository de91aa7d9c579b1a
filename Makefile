# Two commands matter: `make demo` answers a question, `make test` checks everything. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

AZUREML := .venv-azureml

.PHONY: setup setup-azureml demo check test test-azureml docs bench clean

setup: $(VENV)/.ready

# The environment is made anew when what it is made from changes.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "akstwin needs Python 3.11.4 or newer; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# The real azureml-core, which the SDK's classes are compared with. It shares nothing with ours and is never shipped.
setup-azureml: $(AZUREML)/.ready $(AZUREML)-1.42/.ready

$(AZUREML)/.ready: constraints-azureml.txt
	$(PYTHON) -m venv --clear $(AZUREML)
	$(AZUREML)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --constraint $< azureml-core
	touch $@

# An old one beside it: what scripts of that time were written for. It imports pkg_resources, so it needs an old setuptools.
$(AZUREML)-1.42/.ready: constraints-azureml-1.42.txt
	$(PYTHON) -m venv --clear $(AZUREML)-1.42
	$(AZUREML)-1.42/bin/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --constraint $< azureml-core setuptools
	touch $@

demo: setup
	mkdir -p build
	$(BIN)/akstwin run scenarios/library/rush_hour.yaml --report build/rush_hour.html

# Format, lint, strict types, import direction, fast tests.
check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto -m 'not slow'

test: setup setup-azureml
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto

# Only the comparison with azureml-core.
test-azureml: setup setup-azureml
	$(BIN)/python -m pytest -n auto -m azureml

# Pages that are made from the code.
docs: setup
	$(BIN)/python docs/generate.py

bench: setup
	$(BIN)/python benchmarks/reference_plane.py
	$(BIN)/python benchmarks/start_up.py

clean:
	rm -rf build dist $(VENV) $(AZUREML) $(AZUREML)-1.42
