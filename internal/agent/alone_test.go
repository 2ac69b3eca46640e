package agent

import (
	"errors"
	"testing"
)

func TestOneAgentOfAnInstanceOnAMachine(t *testing.T) {
	instance := t.Name() + t.TempDir()
	leave, err := stayAlone(instance)
	if err != nil {
		t.Fatal(err)
	}
	var twin *TwinHereError
	if _, err := stayAlone(instance); !errors.As(err, &twin) || twin.Instance != instance {
		t.Fatalf("a second agent got %v, want TwinHereError", err)
	}
	other, err := stayAlone(instance + "/other")
	if err != nil {
		t.Fatalf("another instance: %v", err)
	}
	other()
	leave()
	again, err := stayAlone(instance)
	if err != nil {
		t.Fatalf("after the first has left: %v", err)
	}
	again()
}
