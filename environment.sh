#!/usr/bin/env bash
# Makes the virtual environment that the make targets run in. Called by the Makefile.
set -euo pipefail
cd "$(dirname "$0")"

VENV=${VENV:-.venv}
ROS=${ROS_DISTRO:-}

# A Python of ours: 3.10 to 3.12, with venv, and the one that a sourced ROS was built for.
suits() {
    "$1" - "$ROS" 2>/dev/null <<'PYTHON'
import ensurepip, sys, venv
if sys.argv[1]:
    import rclpy
sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
PYTHON
}

python=
for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.10}; do
    if suits "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "No fitting Python in: ${PYTHON:-python3 python3.12 python3.11 python3.10}." \
         "It must be 3.10 to 3.12, have the venv module (apt install python3-venv)${ROS:+ and be the one of ROS 2 $ROS};" \
         "name another: make PYTHON=..." >&2
    exit 2
fi

# Wheels must not stay under a ROS that is sourced later, nor the other way round.
clear=
for stamp in "$VENV"/.ready-*; do
    if [ -e "$stamp" ] && [ "$stamp" != "$VENV/.ready-${ROS:-wheels}" ]; then clear=--clear; fi
done

if [ -n "$ROS" ]; then
    echo "Environment in $VENV with $("$python" --version) and the sourced ROS 2 $ROS"
    "$python" -m venv --system-site-packages $clear "$VENV"
    # The distribution's cv_bridge is built against NumPy 1.
    extras='.[test,train]' numpy='numpy<2'
else
    echo "Environment in $VENV with $("$python" --version) and ROS 2 Jazzy from wheels" \
         "(about 5 GB, a few minutes the first time)"
    "$python" -m venv $clear "$VENV"
    extras='.[test,train,ros,slam]' numpy='numpy'
fi
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable "$extras" "$numpy"
