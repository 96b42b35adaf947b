#!/usr/bin/env bash
# Makes the virtual environment that the make targets run in. Called by the Makefile.
set -euo pipefail
cd "$(dirname "$0")"

VENV=${VENV:-.venv}

supported() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
        2>/dev/null
}

python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3 python3.12 python3.11 python3.10; do
        if supported "$candidate"; then python=$candidate; break; fi
    done
fi
if [ -z "$python" ] || ! supported "$python"; then
    echo "Python 3.10 to 3.12 with the venv module is needed;" \
         "install one (Ubuntu: apt install python3-venv) or name it: make PYTHON=python3.12" >&2
    exit 2
fi

if [ -n "${ROS_DISTRO:-}" ] && "$python" -c 'import rclpy' 2>/dev/null; then
    echo "Environment in $VENV with $("$python" --version) and the sourced ROS 2 $ROS_DISTRO"
    "$python" -m venv --system-site-packages "$VENV"
    # The distribution's cv_bridge is built against NumPy 1.
    extras='.[test]' numpy='numpy<2'
else
    echo "Environment in $VENV with $("$python" --version) and ROS 2 Jazzy from wheels" \
         "(about 5 GB, a few minutes the first time)"
    "$python" -m venv "$VENV"
    extras='.[test,ros]' numpy='numpy'
fi
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable "$extras" "$numpy"
