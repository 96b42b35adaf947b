#!/bin/sh
# Makes sure that the tests of HTML pages find a browser, where nobody can be asked: as root on a
# machine of a continuous integration (CI is set) with apt. Elsewhere it only says what is missing.
# The tests skip without a browser, so it never fails.

for name in "$SELAVPR_CHROMIUM" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done

if [ -n "$CI" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    log=$(mktemp)
    if { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends chromium; } >"$log" 2>&1; then
        echo "installed Chromium for the tests of HTML pages"
    else
        tail -n 5 "$log"
        echo "Chromium could not be installed: the tests of HTML pages will be skipped"
    fi
    rm -f "$log"
else
    echo "no Chromium: the tests of HTML pages will be skipped (Debian: apt-get install chromium;" \
        "or SELAVPR_CHROMIUM=/path/to/chrome)"
fi
exit 0
