#!/usr/bin/env bash
# Makes internal/cloud/terraform/testdata/schema.txt anew: the names of the arguments of
# what is rendered, from the providers' schemas as they are published in the packages
# @cdktf/provider-aws and @cdktf/provider-azurerm. It wants npm and go. They are large, so
# this is no part of the build; raise the versions when the providers have moved on.
#
#   --fetch   only bring the packages
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly cache=${HOTCOLD_CACHE:-$root/.cache}/terraform-schema
readonly aws=21.22.1 azurerm=14.23.1

for package in "aws $aws" "azurerm $azurerm"; do
	read -r name version <<<"$package"
	archive=$cache/cdktf-provider-$name-$version.tgz
	mkdir -p "$cache/provider-$name"
	[[ -e $archive && -d $cache/provider-$name/package && ${1:-} == --fetch ]] && continue
	[[ -e $archive ]] || npm pack --silent --pack-destination "$cache" "@cdktf/provider-$name@$version" >&2
	tar -xzf "$archive" -C "$cache/provider-$name" --wildcards 'package/lib/*/index.d.ts'
done
[[ ${1:-} == --fetch ]] && exit
cd "$root"
go test -count=1 ./internal/cloud/terraform -run TestEveryArgumentIsInThePublishedSchema -args -distil "$cache"
git diff --stat -- internal/cloud/terraform/testdata
