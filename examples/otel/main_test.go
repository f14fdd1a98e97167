package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/m2mauth/clerk-m2m/examples/internal/program"
	"github.com/m2mauth/clerk-m2m/m2mtest"
)

func TestAttemptsAreCountedAndRequestsTraced(t *testing.T) {
	clerk := program.Clerk(t)
	clerk.Faults(m2mtest.Fault{Operation: "createM2MToken", Status: http.StatusTooManyRequests, Count: 1})
	orders, billing := newRecorder(), newRecorder()

	program.As(t, "ak_billing")
	addr := program.Start(t, billing.run, "serve", "127.0.0.1:0")
	program.As(t, "ak_orders")
	if err := orders.run(t.Context(), []string{"fetch", "http://" + addr + "/report"}, io.Discard); err != nil {
		t.Fatal(err)
	}

	orders.wantAttempts(t, map[series]int64{
		{"createM2MToken", 429, 1}: 1,
		{"createM2MToken", 201, 2}: 1,
	})
	billing.wantAttempts(t, map[series]int64{{"verifyM2MToken", 200, 1}: 1})

	// orders asks and billing answers: one trace through both services. A call to Clerk has a trace of its own, since it
	// may be for many requests at once.
	fetch := orders.span(t, "fetch", oteltrace.SpanKindInternal, oteltrace.SpanID{})
	out := orders.span(t, "HTTP GET", oteltrace.SpanKindClient, fetch)
	billing.span(t, "GET /report", oteltrace.SpanKindServer, out)
	orders.span(t, "HTTP POST", oteltrace.SpanKindClient, oteltrace.SpanID{})
	billing.span(t, "HTTP POST", oteltrace.SpanKindClient, oteltrace.SpanID{})

	for _, r := range []*recorder{orders, billing} {
		if text := fmt.Sprintf("%+v %+v", tracetest.SpanStubsFromReadOnlySpans(r.spans.Ended()), r.metrics(t)); strings.Contains(text, "ak_") || strings.Contains(text, "Bearer ") {
			t.Error("telemetry holds a credential")
		}
	}
}

func TestProgramPrintsTelemetry(t *testing.T) {
	program.Clerk(t)
	program.As(t, "ak_billing")
	addr := program.Start(t, run, "serve", "127.0.0.1:0")
	program.As(t, "ak_orders")
	var out strings.Builder
	if err := run(t.Context(), []string{"fetch", "http://" + addr + "/report"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"report for mch_", `"clerk.client.attempts"`, `"clerk.client.attempt.duration"`, `"HTTP GET"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing was printed of %s", want)
		}
	}
}

// recorder keeps the telemetry of a program.
type recorder struct {
	reader *metric.ManualReader
	spans  *tracetest.SpanRecorder
}

func newRecorder() *recorder {
	return &recorder{metric.NewManualReader(), tracetest.NewSpanRecorder()}
}

func (r *recorder) run(ctx context.Context, args []string, out io.Writer) error {
	return start(ctx, telemetry{
		trace.NewTracerProvider(trace.WithSpanProcessor(r.spans)),
		metric.NewMeterProvider(metric.WithReader(r.reader)),
		propagation.TraceContext{},
	}, args, out)
}

func (r *recorder) metrics(t *testing.T) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	named := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			named[m.Name] = m.Data
		}
	}
	return named
}

// series is the attributes that attempts are counted by.
type series struct {
	operation       string
	status, attempt int64
}

func seriesOf(set attribute.Set) series {
	value := func(name attribute.Key) attribute.Value { v, _ := set.Value(name); return v }
	return series{value("operation").AsString(), value("status").AsInt64(), value("attempt").AsInt64()}
}

func (r *recorder) wantAttempts(t *testing.T, want map[series]int64) {
	t.Helper()
	data := r.metrics(t)
	counted, ok := data["clerk.client.attempts"].(metricdata.Sum[int64])
	if !ok {
		t.Fatal("attempts were not counted")
	}
	got, total := map[series]int64{}, uint64(0)
	for _, point := range counted.DataPoints {
		got[seriesOf(point.Attributes)] = point.Value
		total += uint64(point.Value)
	}
	if !maps.Equal(got, want) {
		t.Errorf("attempts: %v, want %v", got, want)
	}
	durations, ok := data["clerk.client.attempt.duration"].(metricdata.Histogram[float64])
	if !ok {
		t.Fatal("durations were not measured")
	}
	var measured uint64
	for _, point := range durations.DataPoints {
		measured += point.Count
		if seconds := point.Sum; seconds <= 0 || seconds > 60 {
			t.Errorf("%v took %v s", seriesOf(point.Attributes), seconds)
		}
	}
	if measured != total {
		t.Errorf("%d durations of %d attempts", measured, total)
	}
}

// span gives the id of the one span of that name and kind whose parent is the one given. A server ends its span after
// the client has the answer, so it is waited for.
func (r *recorder) span(t *testing.T, name string, kind oteltrace.SpanKind, parent oteltrace.SpanID) oteltrace.SpanID {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, span := range r.spans.Ended() {
			if span.Name() == name && span.SpanKind() == kind && span.Parent().SpanID() == parent {
				return span.SpanContext().SpanID()
			}
		}
	}
	var ended []string
	for _, span := range r.spans.Ended() {
		ended = append(ended, fmt.Sprintf("%s (%s, parent %s)", span.Name(), span.SpanKind(), span.Parent().SpanID()))
	}
	t.Fatalf("no %s span %q with parent %s; there are: %s", kind, name, parent, strings.Join(ended, "; "))
	return oteltrace.SpanID{}
}
