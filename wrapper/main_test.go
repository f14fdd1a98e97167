package wrapper_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing is left running: no client, source or transport has a goroutine that outlives its use.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
