#!/usr/bin/env bash
# Makes .venv with what Benchmarks/requirements.txt names; does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.installed
[[ ! -e $stamp || Benchmarks/requirements.txt -nt $stamp ]] || exit 0
echo "bench: installing PyTorch into .venv (a download of some gigabytes)"
python3 -m venv .venv || {
    echo "bench: python3 -m venv failed; on Debian: apt-get install python3-venv" >&2
    exit 1
}
.venv/bin/python -m pip install -q -r Benchmarks/requirements.txt
touch $stamp
