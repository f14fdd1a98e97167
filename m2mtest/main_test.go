package m2mtest_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing is left running once the servers are closed.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
