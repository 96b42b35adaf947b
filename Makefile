# make demo   a map from a bag, the node, a second bag played to it, poses and their errors
#             (BAG=... QUERY=... for bags of your own, WEIGHTS=base or a file)
# make test   style, types and every test
#
# Both set up a virtual environment by themselves. VENV=DIR puts it elsewhere, PYTHON=python3.12
# chooses the interpreter (3.10 to 3.12). Where a ROS is sourced, its packages are used.

VENV ?= .venv
BAG ?=
QUERY ?=
WEIGHTS ?=

# One stamp for each kind of environment: sourcing a ROS makes it anew, and so does leaving it.
READY := $(VENV)/.ready-$(or $(ROS_DISTRO),wheels)
RUN := $(VENV)/bin/python
DEMO_OPTIONS = $(if $(BAG),--bag "$(BAG)") $(if $(QUERY),--query "$(QUERY)") \
	$(if $(WEIGHTS),--weights "$(WEIGHTS)")

.PHONY: demo test lint types env clean

demo: $(READY)
	$(strip $(RUN) -m examples.demo $(DEMO_OPTIONS))

test: lint types
	sh test/install_browser.sh
	$(RUN) -m pytest -n 2 --dist loadfile -m "not alone"
	$(RUN) -m pytest -m alone

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(READY)
	$(RUN) -m mypy

env: $(READY)

$(READY): setup.py constraints.txt environment.sh
	VENV="$(VENV)" PYTHON="$(PYTHON)" bash environment.sh
	rm -f "$(VENV)"/.ready-*
	touch $@

clean:
	rm -rf "$(VENV)" build install log demo
