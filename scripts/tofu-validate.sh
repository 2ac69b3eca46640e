#!/usr/bin/env bash
# Validates what is rendered for Terraform as Terraform does: OpenTofu, built from the Go
# module proxy, with a stub in the providers' place that has their published schemas. For
# both examples and all balancers it runs `tofu fmt -check` and `tofu validate`, and then
# sees that a wrong name, a wrong type and a missing argument are refused.
#
# It wants npm and go. It is no part of the build: OpenTofu takes minutes to compile and
# 3 GB of modules the first time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly cache=${HOTCOLD_CACHE:-$root/.cache}
readonly version=v1.12.6
# OpenTofu's go.mod replaces this module, and a replacement of another module does not count.
readonly hcl=github.com/hashicorp/hcl/v2=github.com/opentofu/hcl/v2@v2.20.2-0.20251021132045-587d123c2828

"$root/scripts/terraform-schema.sh" --fetch

tofu=$cache/tofu/tofu-$version
if [[ ! -x $tofu ]]; then
	mkdir -p "$cache/tofu/module"
	cd "$cache/tofu/module"
	echo "building OpenTofu $version" >&2
	[[ -e go.mod ]] || go mod init hotcold.invalid/tofu
	go get "github.com/opentofu/opentofu/cmd/tofu@$version"
	go mod edit -replace "$hcl"
	go get "github.com/opentofu/opentofu/cmd/tofu@$version"
	CGO_ENABLED=0 go build -trimpath -o "$tofu" github.com/opentofu/opentofu/cmd/tofu
fi

work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT
cd "$root/scripts/terraform-stub"
CGO_ENABLED=0 go build -trimpath -o "$work/terraform-provider-aws" .
cp "$work/terraform-provider-aws" "$work/terraform-provider-azurerm"
cd "$root"
go build -o "$work/hotcold" ./cmd/hotcold

export HOTCOLD_TERRAFORM_PACKAGES=$cache/terraform-schema HOTCOLD_TERRAFORM_KINDS=$root/internal/cloud/terraform/testdata/schema.txt
export TF_CLI_CONFIG_FILE=$work/tofurc CHECKPOINT_DISABLE=1
cat >"$TF_CLI_CONFIG_FILE" <<END
provider_installation {
  dev_overrides {
    "hashicorp/aws"     = "$work"
    "hashicorp/azurerm" = "$work"
  }
  direct {}
}
END

for example in hotcold guide; do
	for target in azure "aws --balancer classic" "aws --balancer nlb"; do
		folder=$work/$example-${target##* }
		# shellcheck disable=SC2086  # target and balancer are words of their own
		"$work/hotcold" render $target --config "examples/cloud/$example.conf" --out "$folder" >/dev/null 2>&1
		"$tofu" -chdir="$folder" fmt -check -diff
		"$tofu" -chdir="$folder" validate -no-color >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
		echo "$example.conf, $target: valid"
	done
done

# What has to be refused is refused: the stub knows more than that a file can be parsed.
refused() {
	local what=$1 folder=$work/$2 change=$3 wanted=$4
	cp "$folder/main.tf" "$work/kept"
	sed -i "$change" "$folder/main.tf"
	if cmp -s "$folder/main.tf" "$work/kept"; then
		echo "the file has nothing for $what" >&2
		exit 1
	fi
	if "$tofu" -chdir="$folder" validate -no-color >"$work/said" 2>&1 || ! grep -q "$wanted" "$work/said"; then
		echo "$what is not refused:" >&2
		cat "$work/said" >&2
		exit 1
	fi
	mv "$work/kept" "$folder/main.tf"
	echo "$what: refused"
}
refused "a wrong name" hotcold-classic 's/lb_port /lb_prt /' 'Unsupported argument'
refused "a missing argument" hotcold-classic '/lb_port /d' 'Missing required argument'
refused "a wrong type" hotcold-azure 's/interval_in_seconds *= 5/interval_in_seconds = "often"/' 'Incorrect attribute value type'
refused "a reference to nothing" hotcold-nlb 's/aws_lb.pair.arn/aws_lb.pair.arm/' 'Unsupported attribute'
