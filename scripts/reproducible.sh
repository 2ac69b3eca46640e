#!/usr/bin/env bash
# Proves that the build is reproducible: two clones of HEAD in two folders, one
# with an empty build cache, must give the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT

digest() {
	local clone=$work/$1
	git clone --quiet . "$clone"
	make --silent -C "$clone" build >&2
	sha256sum "$clone/bin/hotcold" | cut -d' ' -f1
}

one=$(digest one)
two=$(GOCACHE=$work/cache digest the-second-of-two)
if [[ $one != "$two" ]]; then
	echo "reproducible: two builds of one commit differ: $one, $two" >&2
	exit 1
fi
echo "reproducible: sha256 $one"
