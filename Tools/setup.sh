#!/usr/bin/env bash
# Installs the Debian packages that dkpd builds on and that are missing, and checks for Swift.
#   Tools/setup.sh [--quiet]     with --quiet, says nothing when nothing is to be done
set -euo pipefail

packages=(
    libdnnl-dev libhdf5-dev libpng-dev libjpeg62-turbo-dev libtiff-dev libopenblas-dev libfftw3-dev libsystemd-dev
    libssl-dev pkg-config
)
swift_needed=6.2
quiet=no
[[ "${1:-}" != --quiet ]] || quiet=yes

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

is_installed() { [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]; }

install_packages() {
    local as_root=()
    if [[ $EUID -ne 0 ]]; then
        command -v sudo >/dev/null || fail "to install $* root is needed, and there is no sudo: run as root: apt-get install $*"
        as_root=(sudo)
    fi
    say "installing $*"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

check_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "this is no Debian system: provide what these packages hold yourself: ${packages[*]}"
        return
    fi
    local missing=() name
    for name in "${packages[@]}"; do is_installed "$name" || missing+=("$name"); done
    [[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"
}

check_swift() {
    local advice="install Swift $swift_needed or newer from https://www.swift.org/install/linux/ and put it on the PATH; this script cannot install it"
    command -v swift >/dev/null || fail "there is no swift: $advice"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
    [[ -n "$version" ]] || fail "swift --version tells no version: $advice"
    [[ "$(printf '%s\n' "$swift_needed" "$version" | sort -V | head -n 1)" == "$swift_needed" ]] ||
        fail "Swift $version is too old: $advice"
    [[ $quiet == yes ]] || say "Swift $version"
}

check_packages
check_swift
[[ $quiet == yes ]] || say "everything is there"
