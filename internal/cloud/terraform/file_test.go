package terraform_test

import (
	"testing"

	"github.com/hotcold/hotcold/internal/cloud/terraform"
)

func TestAFileLooksAsTerraformFmtWritesIt(t *testing.T) {
	f := terraform.New("What it is.\nAnd more.")
	b := f.Block("resource", "kind", "label")
	b.Set("name", "a ${not} reference \"quoted\"").Set("count_of", 3).Set("on", true).Set("other", terraform.Ref("kind.other[0].id"))
	b.Set("list", []string{"a", "b"}).Set("refs", []terraform.Ref{"kind.other.id"}).Set("none", []string(nil))
	b.Block("inner").Set("tags", [][2]string{{"Name", "x"}, {"Longer", "y"}})
	f.Comment("The next one.")
	f.Block("output", "x").Set("value", terraform.Ref("kind.label.id"))
	const want = `# What it is.
# And more.
resource "kind" "label" {
  name     = "a $${not} reference \"quoted\""
  count_of = 3
  on       = true
  other    = kind.other[0].id
  list     = ["a", "b"]
  refs     = [kind.other.id]
  none     = []

  inner {
    tags = {
      Name   = "x"
      Longer = "y"
    }
  }
}

# The next one.
output "x" {
  value = kind.label.id
}
`
	if got := f.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
