# Each target is a line or two that a machine without make can type as they stand.
# Any Python 3 runs install.py, which picks the newest supported one for .venv; PYTHON=/path/to/python3.12 names it.
PYTHON ?= $(shell command -v python3 || command -v python3.13 || command -v python3.12 || command -v python3.11 || echo python3)
RUN = .venv/bin/python
# fewest: one version of a package for all supported Pythons, so that they compute the same.
UV = .venv/bin/uv pip compile --quiet --system-certs --universal --generate-hashes --no-header --no-emit-index-url --fork-strategy fewest
LOCK = $(UV) pyproject.toml --override requirements/overrides.txt

GENERATE = .venv/bin/openapi-python-client generate --overwrite --meta none --config clients/python/generator.yaml --custom-template-path clients/python/templates
GROUP = $(LOCK) -c requirements/all.txt

.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' Makefile)
help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
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
upgrade: made  ## after `git pull`: back up to var/backups, then bring packages and tables up to date and restart
	@$(RUN) manage.py spai backup && $(MAKE) restart
status: made  ## check every process
	@$(RUN) manage.py stack status
logs: made  ## follow the logs of all processes; Ctrl-C ends
	@$(RUN) manage.py stack logs --follow
dev: setup  ## one web process that restarts when a file changes, with the servers of the stack or its own
	@$(RUN) -m spai.stack.dev
fmt: setup  ## format the code and fix what ruff can fix
	.venv/bin/ruff format --quiet . && .venv/bin/ruff check --fix .
test: setup  ## style, import contracts, and all tests but those of the next targets
	$(RUN) -m pytest -n auto --dist worksteal
test-contract: setup  ## EXAMPLES requests of each kind to each route of the API, which schemathesis derives from its schema
	$(RUN) -m pytest -rP -m contract tests/web/test_contract.py --examples $(or $(EXAMPLES),50)
test-scale: setup  ## what queries read at 300,000 matches
	$(RUN) -m pytest -m scale
test-pure: setup  ## the tests that need neither Django nor a server
	$(RUN) -m pytest tests/pure
test-benchmarks: setup  ## commands of benchmarks/ on files and servers of their own
	$(RUN) -m pytest -m benchmarks
test-each-benchmark: setup  ## each command of benchmarks/ that needs no files, at a small size; half an hour
	$(RUN) -m pytest -m each_benchmark
test-runs: setup  ## runs of the pipeline by DVC: executed, interrupted, resumed
	$(RUN) -m pytest -n auto --dist worksteal -m runs
test-real: setup  ## what real files hold, in the folder that SPAI_REAL_DATA names
	$(RUN) -m pytest -n auto --dist worksteal -m real_data
test-services: setup  ## RabbitMQ, Redis Sentinel, object storage and a replica, where they are installed
	$(RUN) -m pytest -m services
test-faults: setup  ## a whole stack whose processes are killed and frozen
	$(RUN) -m pytest -m faults
test-ha: setup  ## three nodes, each killed, frozen and cut off in turn; as root, an hour; AWAY=20 seconds each, BROKER=rabbitmq
	$(RUN) -m pytest -m ha --away $(or $(AWAY),60) --broker $(or $(BROKER),redis)
test-images: setup  ## build the images and run a container of each; as root, with buildah
	$(RUN) -m pytest -m images
test-browser: setup  ## the pages in a real browser
	$(RUN) -m pytest tests/e2e
lint: style types  ## style, types, which module may import which
style: setup
	$(RUN) -m pytest -q tests/test_architecture.py
types: setup  ## mypy, whose cache makes a second run short
	.venv/bin/mypy
docs: setup  ## the documentation site, in the folder site/
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet
screenshots: setup  ## take the pictures of the documentation anew
	$(RUN) -m pytest tests/e2e/test_screenshots.py --renew -q
# A failed test does not keep the figures back: they are for reading, and nothing is refused for them.
coverage: setup  ## run the tests (or TESTS=tests/pure) and list the modules whose lines they execute least
	-$(RUN) -m pytest -q -n auto --dist worksteal --cov --cov-report= $(TESTS)
	@.venv/bin/coverage report --sort=cover --skip-empty | sed -n '1,42p;$$p'
# The examples first: the schema contains them, and the client is made of the schema. The generator knows no bodies of
# lines and says so; Client.push sends them.
client: setup  ## record the API schema with its examples, and write the Python client again
	$(RUN) -m pytest tests/web/test_schema.py -q -p no:randomly --renew
	$(GENERATE) --path tests/web/openapi.json --output-path clients/python/spai_client/generated
# What GitLab and GitHub run beside the targets above. DRY=--dry-run prints what would change something elsewhere.
DELIVERY = $(PYTHON) delivery/release.py $(DRY)
audit: setup  ## advisories of the locked packages, the list of all of them (var/sbom), secrets in the history
	@$(RUN) requirements/audit.py
chart: setup  ## check the Helm chart, with the program helm
	helm lint --strict helm --values helm/values/ci.yaml && $(RUN) -m pytest tests/pure/chart
train-smoke: setup  ## a training of the simulated world, export to registered version, with servers of its own
	$(RUN) -m benchmarks.pipeline --profile smoke
push-images:  ## build the images of this commit and push them to REGISTRY
	@$(DELIVERY) images
deploy:  ## bring the images of this commit to ENVIRONMENT, staging or production
	@$(DELIVERY) deploy $(ENVIRONMENT)
publish:  ## release the tag of this commit, or one PART of it: images, chart, client, release
	@$(DELIVERY) publish $(PART)
version:  ## write VERSION into every file that carries it
	@$(DELIVERY) version $(VERSION)
lock: setup  ## resolve the requirements anew, with hashes
	$(LOCK) --all-extras -o requirements/all.txt
	echo uv | $(UV) - -o requirements/bootstrap.txt
lock-groups: setup  ## the locks of the web, worker and pipeline images, at the versions of all.txt
	$(GROUP) -o requirements/web.txt && $(GROUP) --extra worker -o requirements/worker.txt
	$(GROUP) --extra worker --extra pipeline --extra drift -o requirements/pipeline.txt
