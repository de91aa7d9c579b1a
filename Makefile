# Two commands matter: `make demo` answers a question, `make test` checks everything. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

AZUREML := .venv-azureml
PEERS := .venv-peers
INFERENCE := .venv-inference-server
SDK_V2 := .venv-azure-ai-ml

# What is run once more on the compiled modules.
COMPILED_TESTS := tests/cores tests/sim tests/worker tests/properties tests/workspace tests/speedups tests/served/control tests/served/hostile/test_fast_path.py \
	--ignore tests/served/control/test_journal.py --ignore tests/sim/engines

.PHONY: equivalence setup compile setup-azureml setup-inference-server setup-azure-ai-ml setup-haproxy setup-peers demo check test properties test-azureml test-compare docs bench clean

setup: $(VENV)/.ready compile

# What each request goes through, served or simulated, as machine code. Without a C compiler it runs as it stands, more slowly.
compile: $(VENV)/.ready
	@if command -v cc >/dev/null; then $(BIN)/akstwin compile; else echo "no C compiler: akstwin serve runs uncompiled, akstwin run takes the reference engine"; fi

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

# SDK v2, whose clients must not reach the cloud by a wrong turn.
setup-azure-ai-ml: $(SDK_V2)/.ready

$(SDK_V2)/.ready: constraints-azure-ai-ml.txt
	$(PYTHON) -m venv --clear $(SDK_V2)
	$(SDK_V2)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< azure-ai-ml
	touch $@

# The real server of the containers, which the answers of entry scripts are compared with.
setup-inference-server: $(INFERENCE)/.ready

$(INFERENCE)/.ready: constraints-peers.txt
	$(PYTHON) -m venv --clear $(INFERENCE)
	$(INFERENCE)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --constraint $< azureml-inference-server-http
	touch $@

# A proxy with a queue of its own, which comparisons with a service outside are tried on. Without it those tests are skipped.
setup-haproxy:
	@if command -v haproxy >/dev/null; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq haproxy >/dev/null; \
	else echo "no haproxy: install it to try comparisons with a service behind it"; fi

# Other servers, which the benchmark of ours runs beside it.
setup-peers: $(PEERS)/.ready

$(PEERS)/.ready: constraints-peers.txt
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< azureml-inference-server-http 'moto[server]'
	touch $@

demo: $(VENV)/.ready
	mkdir -p build
	$(BIN)/akstwin run scenarios/library/rush_hour.yaml --report build/rush_hour.html

# Format, lint, strict types, import direction, fast tests.
check: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto -m 'not slow'

test: setup setup-azureml setup-inference-server setup-azure-ai-ml setup-haproxy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto
	@if command -v cc >/dev/null; then set -x; AKSTWIN_COMPILED=1 $(BIN)/python -m pytest -n auto -m 'not azureml and not inference_server' $(COMPILED_TESTS); fi

# What policies promise, in ten times as many worlds as `make test` draws.
properties: $(VENV)/.ready
	AKSTWIN_WORLDS=2000 $(BIN)/python -m pytest -n auto tests/policies

# Only the comparison with azureml-core.
test-azureml: setup setup-azureml
	$(BIN)/python -m pytest -n auto -m azureml

# The simulator beside a server in real time. Timing counts, so it does not run together with anything else.
test-compare: setup
	$(BIN)/python tests/served/compare/compare_all.py

# A real Kubernetes on this machine (Linux, root, Go): built once into ~/.cache/akstwin, with networks of its own.
HARNESS = cd tests && PYTHONPATH=. ../$(BIN)/python -m cluster.harness

.PHONY: cluster-up cluster-down test-cluster
cluster-up: $(VENV)/.ready
	@$(HARNESS) up

# All clusters, and what killed ones have left.
cluster-down: $(VENV)/.ready
	@$(HARNESS) down

# First the tests that look at what a cluster leaves on the machine: nothing else may start or end one meanwhile.
test-cluster: $(VENV)/.ready
	@$(HARNESS) build
	$(BIN)/python -m pytest tests/cluster/test_leftovers.py
	$(BIN)/python -m pytest -n 2 tests/cluster --ignore tests/cluster/test_leftovers.py

# Random scenarios on both engines, twenty thousand of them; `make test` has four hundred.
equivalence: setup
	$(BIN)/python -m tests.support.equivalence --count 20000

# Pages that are made from the code.
docs: $(VENV)/.ready
	$(BIN)/python docs/generate.py

bench: setup setup-peers
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/served.py

clean:
	rm -rf build dist $(VENV) $(AZUREML) $(AZUREML)-1.42 $(INFERENCE) $(SDK_V2) $(PEERS)
