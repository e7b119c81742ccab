# Each target is a line or two that a machine without make can type as they stand.
# Any Python 3 runs install.py, which picks the newest supported one for .venv; PYTHON=/path/to/python3.12 names it.
PYTHON ?= $(shell command -v python3 || command -v python3.13 || command -v python3.12 || command -v python3.11 || echo python3)
RUN = .venv/bin/python
# fewest: one version of a package for all supported Pythons, so that they compute the same.
UV = .venv/bin/uv pip compile --quiet --system-certs --universal --generate-hashes --no-header --no-emit-index-url --fork-strategy fewest
LOCK = $(UV) pyproject.toml --override requirements/overrides.txt

GENERATE = .venv/bin/openapi-python-client generate --overwrite --meta none --config clients/python/generator.yaml --custom-template-path clients/python/templates
GROUP = $(LOCK) -c requirements/all.txt

.PHONY: help up down restart status logs dev fmt test test-pure test-faults lint coverage audit client lock lock-groups setup made
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
setup:  ## make .venv equal to the lock
	@$(PYTHON) requirements/install.py --quiet
# Commands on a running stack do not change the packages that its processes import.
made:
	@test -x $(RUN) || { echo "No .venv yet: run make up." >&2; exit 1; }
up: setup  ## start everything on this machine, wait until the site answers, print the addresses
	@$(RUN) manage.py stack up
down: made  ## stop everything; all data is kept
	@$(RUN) manage.py stack down
restart: setup  ## stop and start everything, with the current code
	@$(RUN) manage.py stack restart
status: made  ## check every process
	@$(RUN) manage.py stack status
logs: made  ## follow the logs of all processes; Ctrl-C ends
	@$(RUN) manage.py stack logs --follow
dev: setup  ## one web process that restarts when a file changes, with the servers of the stack or its own
	@$(RUN) -m spai.stack.dev
fmt: setup  ## format the code and fix what ruff can fix
	.venv/bin/ruff format --quiet . && .venv/bin/ruff check --fix .
test: setup  ## style, types, contracts, and all tests but those that kill a whole stack
	$(RUN) -m pytest -n auto --dist worksteal -m "not faults"
test-pure: setup  ## the tests that need neither Django nor a server
	$(RUN) -m pytest tests/pure
test-faults: setup  ## a whole stack whose processes are killed and frozen
	$(RUN) -m pytest tests/faults -m faults
lint: setup  ## style, types, which module may import which
	$(RUN) -m pytest -q tests/test_architecture.py
audit: setup  ## advisories of the locked packages, the list of all of them (var/sbom), secrets in the history
	@$(RUN) requirements/audit.py
# A failed test does not keep the figures back: they are for reading, and nothing is refused for them.
coverage: setup  ## run the tests (or TESTS=tests/pure) and list the modules whose lines they execute least
	-$(RUN) -m pytest -q -n auto --dist worksteal -m "not faults" --cov --cov-report= $(TESTS)
	@.venv/bin/coverage report --sort=cover --skip-empty | sed -n '1,42p;$$p'
# The examples first: the schema contains them, and the client is made of the schema. The generator knows no bodies of
# lines and says so; Client.push sends them.
client: setup  ## record the API schema with its examples, and write the Python client anew
	$(RUN) -m pytest tests/web/test_schema.py -q -p no:randomly --renew
	$(GENERATE) --path tests/web/openapi.json --output-path clients/python/spai_client/generated
lock: setup  ## resolve the requirements anew, with hashes
	$(LOCK) --all-extras -o requirements/all.txt
	echo uv | $(UV) - -o requirements/bootstrap.txt
lock-groups: setup  ## the locks of the web, worker and pipeline images, at the versions of all.txt
	$(GROUP) -o requirements/web.txt && $(GROUP) --extra worker --extra drift -o requirements/worker.txt
	$(GROUP) --extra worker --extra pipeline --extra cluster -o requirements/pipeline.txt
