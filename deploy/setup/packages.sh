#!/usr/bin/env bash
# Makes sure that Debian packages are there. Each argument is PROBE=PACKAGE, the probe a command or an absolute path.
# Installs what is missing if it may (root, apt-get); otherwise says what to install and fails.
set -euo pipefail

missing=()
for argument in "$@"; do
  probe=${argument%%=*}
  case $probe in
    /*) [ -e "$probe" ] || missing+=("${argument#*=}") ;;
    *) command -v "$probe" >/dev/null || missing+=("${argument#*=}") ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing on this machine: ${missing[*]}" >&2
  echo "Install them first, on Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  exit 1
fi
