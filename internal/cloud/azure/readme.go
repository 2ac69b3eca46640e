package azure

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/hotcold/hotcold/internal/cloud"
)

//go:embed README.md.tmpl
var readmeText string

// README writes the order of the steps for one format.
func (s *Setup) README(format string) (cloud.File, error) {
	t, err := template.New("README.md").Parse(readmeText)
	if err != nil {
		return cloud.File{}, fmt.Errorf("write the README: %w", err)
	}
	down, up := s.Detection()
	var b strings.Builder
	err = t.Execute(&b, map[string]any{"S": s, "Format": format, "Down": down, "Up": up, "Warnings": s.Warnings()})
	if err != nil {
		return cloud.File{}, fmt.Errorf("write the README: %w", err)
	}
	return cloud.File{Name: "README.md", Mode: 0o644, Text: b.String()}, nil
}
