#!/bin/sh
# Brings what the tests need from outside Python: a Chromium to drive, and ripgrep, which the agent's grep and glob tools call.
set -eu

missing=""
found=""
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then found="$name"; break; fi
done
[ -n "$found" ] || missing="chromium"
command -v rg >/dev/null 2>&1 || missing="$missing ripgrep"
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then as_root="sudo -n"; fi
if ! command -v apt-get >/dev/null 2>&1 || ! ${as_root:-env} true 2>/dev/null; then
    echo "The tests need these programs on PATH: $missing." >&2
    echo "Here they can't be installed by themselves (that needs Debian's apt-get, as root or with passwordless sudo):" >&2
    echo "install them with this system's package manager, then run make test again." >&2
    exit 1
fi

echo "Installing $missing with apt-get"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split
$as_root apt-get install -y -qq --no-install-recommends $missing fonts-dejavu-core >/dev/null
