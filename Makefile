# make demo   a map from a bag, the node, a second bag played to it, poses and their errors
# make test   style, types and every test
#
# Both set up a virtual environment by themselves. VENV=DIR puts it elsewhere, PYTHON=python3.12
# chooses the interpreter (3.10 to 3.12). Where a ROS is sourced, its packages are used.

VENV ?= .venv
BAG ?=
QUERY ?=
WEIGHTS ?=

READY := $(VENV)/.ready
RUN := $(VENV)/bin/python

.PHONY: demo test lint types env clean

demo: $(READY)
	$(RUN) -m examples.demo $(if $(BAG),--bag "$(BAG)") $(if $(QUERY),--query "$(QUERY)") \
		$(if $(WEIGHTS),--weights "$(WEIGHTS)")

test: lint types
	$(RUN) -m pytest

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(READY)
	$(RUN) -m mypy

env: $(READY)

$(READY): setup.py constraints.txt environment.sh
	VENV="$(VENV)" PYTHON="$(PYTHON)" bash environment.sh
	touch $@

clean:
	rm -rf "$(VENV)" build install log demo
