# Everything a developer does, by name. A fresh machine needs Python 3.11 or newer, make, and its package index.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --quiet

.PHONY: demo test check format chaos bench bench-engines serve lock clean

demo: $(READY)  ## three vendors' clients use a real server; pictures go to ./darkroom-demo
	$(BIN)/darkroom demo

test: $(READY)  ## the whole test suite, on SQLite, a real PostgreSQL and a real S3; many tests wait, so one process more than cores
	$(BIN)/pytest --numprocesses $$($(BIN)/python -c 'import os; print(min(8, (os.cpu_count() or 1) + 1))') --dist loadscope

check: $(READY)  ## lint, formatting, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

chaos: $(READY)  ## kill everything at random for minutes, and prove that nothing is lost; KILLS=200 SEED=1 FORM=sqlite
	cd tests && ../$(BIN)/python -m chaos $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(if $(FORM),--form $(FORM))

bench: $(READY)  ## measure against what you would use instead; needs wrk (Debian: apt-get install wrk)
	$(BIN)/python bench/all.py

bench-engines: $(READY)  ## measure the built-in engines on one core, operation by operation
	$(BIN)/python bench/engines.py

serve: $(READY)
	$(BIN)/darkroom serve

lock:  ## renew requirements.lock from pyproject.toml, and the locks of the image from it
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) pyproject.toml --extra onnx --extra otel --group build --group test --group check --group bench \
	  --output-file requirements.lock
	$(LOCK) pyproject.toml --extra c2pa --extra nats --extra onnx --extra otel --constraints requirements.lock \
	  --output-file deploy/locks/runtime.lock
	$(LOCK) --group build --constraints requirements.lock --output-file deploy/locks/build.lock

clean:
	rm -rf .venv darkroom-demo

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
