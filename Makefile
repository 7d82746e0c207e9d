# Everything from nothing but Python 3.11+, pip and make. Packages are locked by hash; nothing is installed outside .venv.

PYTHON ?= python3
BIN := .venv/bin
# The upstream of the benchmarks speaks TLS where OpenSSL's headers are (libssl-dev); only what measures that needs them.
TLS = $(if $(shell printf '\043include <openssl/ssl.h>\n' | cc -E - 2>/dev/null),-DWITH_TLS)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Where an image sets it, each of the hundreds of processes the tests start would compile the whole gateway anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help serve test test-pgbouncer check author-journey faults faults-compared outage cuts swaps soak chaos chaos-proof drain rolling kill load idle-streams slow-clients aborts overload bench bench-tools budgets budgets-accept schema lock real-server node-clients clean

help:
	@echo "make serve        run the gateway with a demo model; prints a request to try"
	@echo "make test         run the tests; what needs more than Python is skipped and says what it needs"
	@echo "make test-pgbouncer  run every test of PostgreSQL through a pgbouncer in transaction mode"
	@echo "make check        style, types, imports, and what plugins were promised"
	@echo "make author-journey  from a clean environment to a tested plugin of every kind, with a stopwatch"
	@echo "make faults       ask every surface every way an upstream fails; print the table and write it into docs/reliability.md"
	@echo "make faults-compared  the same faults before the openai SDK behind a bare Litestar handler; into the same page"
	@echo "make outage       stop PostgreSQL for a minute under load; print what failed, what was lost, how long answers took"
	@echo "make cuts         cut every stream of every provider at every byte, for every client; into the same page"
	@echo "make swaps        swap plugins 100 times under 200 running streams"
	@echo "make soak         mixed load for SOAK_MINUTES (10): whether memory, tasks, descriptors and connections grow; into the same page"
	@echo "make chaos        ten minutes of random requests, faults, swaps, outages and kills; check what became of all; into the same page"
	@echo "make chaos-proof  plant a bug for each thing that make chaos checks, and see it found; into the same page"
	@echo "make bench        measure all beside all contestants that are installed, half an hour, and write docs/benchmarks.md;"
	@echo "                  QUICK=1, SCENARIOS=a,b, CONTESTANTS=nginx,envoy or all (needs a C compiler)"
	@echo "make drain        SIGTERM 100 times under 100 live streams each"
	@echo "make rolling      restart all workers 20 times under load, and no request fails"
	@echo "make kill         kill -9 a worker under load 1,000 times in window mode and 200 in durable mode; some seven minutes"
	@echo "make load         10,000 idle streams, slow clients, bombs and 10,002 aborted requests, with what they take"
	@echo "make aborts       clients that leave, 3,334 times in each phase: how fast the upstream is closed, what is left"
	@echo "make overload     three times the load that can be carried (needs a C compiler)"
	@echo "make budgets      count what a request and a chunk cost; budgets-accept makes that the measure from now on"
	@echo "make schema       write down what a new SQLite database holds, after a migration was added"
	@echo "make lock         write requirements.lock anew (needs uv)"
	@echo "make real-server  install a real inference server for tests/real (PyTorch, some minutes)"
	@echo "make node-clients install other makers' clients for tests/clients (needs Node.js 20 and npm)"
	@echo "make clean        remove what these made"

serve: .venv/installed
	@exec $(BIN)/gateway serve --demo

test: .venv/installed
	$(BIN)/python -m pytest -q tests/real
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --ignore tests/real

test-pgbouncer: .venv/installed
	TEST_PGBOUNCER=1 TEST_REQUIRE=all $(BIN)/python -m pytest -q -m postgres

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/contract/promise.py

author-journey:
	$(PYTHON) tests/author_journey.py

faults: .venv/installed
	GATEWAY_TEST_FAULTS=all GATEWAY_TEST_REPORT=docs/reliability.md $(BIN)/python -m pytest -q -s tests/faults

faults-compared: .venv/installed
	PYTHONPATH=tests $(BIN)/python tests/faults/compare.py docs/reliability.md

outage: .venv/installed
	OUTAGE_SECONDS=$(or $(SECONDS),60) $(BIN)/python -m pytest -q -s tests/e2e/test_outage.py

cuts: .venv/installed
	GATEWAY_TEST_CUTS=all PYTHONPATH=tests:tests/faults $(BIN)/python tests/plugins/every_cut.py docs/reliability.md

swaps: .venv/installed
	SOAK_STREAMS=200 SOAK_SWAPS=100 $(BIN)/python -m pytest -q -s -o timeout=900 tests/e2e/test_swap_under_load.py

soak: .venv/installed
	PYTHONPATH=tests:tests/faults $(BIN)/python tests/soak/soaking.py docs/reliability.md

chaos: .venv/installed
	CHAOS_SECONDS=$${CHAOS_SECONDS:-600} CHAOS_REPORT=docs/reliability.md $(BIN)/python -m pytest -q -s tests/chaos/test_chaos.py

chaos-proof: .venv/installed
	CHAOS_PROOF=1 CHAOS_REPORT=docs/reliability.md $(BIN)/python -m pytest -q -s tests/chaos/test_chaos_proof.py

drain: .venv/installed
	DRAIN_STOPS=$(or $(STOPS),100) DRAIN_STREAMS=100 DRAIN_REPORT=docs/reliability.md \
		$(BIN)/python -m pytest -q -s -o timeout=7200 tests/restarts/test_drain.py

rolling: .venv/installed
	ROLLING_RESTARTS=$(or $(RESTARTS),20) ROLLING_REPORT=docs/reliability.md \
		$(BIN)/python -m pytest -q -s -o timeout=3600 tests/restarts/test_rolling.py

kill: .venv/installed
	KILL_WINDOW_SQLITE=$(or $(KILLS),800) KILL_WINDOW_POSTGRES=$(or $(KILLS),200) \
	KILL_DURABLE_SQLITE=$(or $(KILLS),160) KILL_DURABLE_POSTGRES=$(or $(KILLS),40) \
	KILL_LATE_MS=50 KILL_WORKERS=4 KILL_WARM=1 KILL_REPORT=docs/reliability.md \
		$(BIN)/python -m pytest -q -s -o timeout=7200 tests/restarts/test_kill.py

load: idle-streams slow-clients aborts

idle-streams: .venv/installed
	LOAD_STREAMS=10000 LOAD_HELD_SECONDS=20 $(BIN)/python -m pytest -q -s -o timeout=900 tests/load/test_idle_streams.py

slow-clients: .venv/installed
	LOAD_SLOW=100 $(BIN)/python -m pytest -q -s -o timeout=900 tests/load/test_bounded_memory.py

aborts: .venv/installed
	GATEWAY_TEST_LEAVES=3334 $(BIN)/python -m pytest -q -s -o timeout=3600 tests/e2e/test_client_leaves.py

overload: .venv/installed bench-tools
	$(BIN)/python -m bench.overload

bench: .venv/installed bench-tools
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(SCENARIOS),--scenarios $(SCENARIOS)) \
		$(addprefix --contestants ,$(or $(CONTESTANTS),$(if $(QUICK)$(SCENARIOS),,installed))) \
		$(if $(QUICK)$(SCENARIOS),,--write) $(BENCH)

bench-tools: build/bench/upstream build/bench/load build/bench/pauses build/bench/counter.so

budgets: .venv/installed bench-tools
	$(BIN)/python -m bench.budgets

budgets-accept: .venv/installed bench-tools
	$(BIN)/python -m bench.budgets --accept

schema: .venv/installed
	$(BIN)/python tests/new_database.py

lock:
	uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --extra test --extra check \
		--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock" --output-file requirements.lock

real-server: .venv-real/bin/transformers

node-clients: tests/clients/node_modules/installed

clean:
	rm -rf .venv .venv-real tests/clients/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

build/bench/%: bench/%.c $(wildcard bench/*.h)
	@command -v cc >/dev/null || { echo "A C compiler is needed: apt-get install gcc libc6-dev" >&2; exit 1; }
	@mkdir -p $(@D)
	cc -O2 -Wall -Wextra -Wshadow $(if $(findstring upstream,$@),$(TLS)) -o $@ $< $(if $(findstring upstream,$@),$(if $(TLS),-lssl -lcrypto))

build/bench/%.so: bench/%.c
	@command -v cc >/dev/null || { echo "A C compiler is needed: apt-get install gcc libc6-dev" >&2; exit 1; }
	@mkdir -p $(@D)
	cc -O2 -Wall -Wextra -Wshadow -shared -fPIC -o $@ $<

.venv-real/bin/transformers:
	$(PYTHON) -m venv .venv-real
	.venv-real/bin/python -m pip --disable-pip-version-check install --quiet torch==2.13.0
	.venv-real/bin/python -m pip --disable-pip-version-check install --quiet "transformers[serving]"

tests/clients/node_modules/installed: tests/clients/package.json
	npm install --prefix $(<D)/ --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel error
	@touch $@
