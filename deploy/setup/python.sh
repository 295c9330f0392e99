#!/usr/bin/env bash
# Makes a Python environment with one package: python.sh FOLDER REQUIREMENT. Debian ships Python without the module
# that makes environments; it is installed if that is possible, else the message says what is missing.
set -euo pipefail

folder=$1
requirement=$2

if ! command -v python3 >/dev/null; then
  echo 'Python 3 is missing. Install it first, on Debian or Ubuntu: sudo apt-get install python3 python3-venv' >&2
  exit 1
fi
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "MLflow's pinned packages need Python 3.11 or later; python3 here is $(python3 -V)." >&2
  exit 1
fi
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  # The check has just been made, so the probe is one that finds nothing.
  "$(dirname "$0")/packages.sh" python3-venv-is-missing=python3-venv
fi
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "$requirement"
