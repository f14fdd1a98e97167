package main

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// telemetry is where spans and measurements go.
type telemetry struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
}

// client gives a client of Clerk whose attempts are measured, and traced as HTTP requests. Minting and verifying have
// traces of their own: one call may be for many requests.
func (t telemetry) client(opts ...wrapper.Option) (*wrapper.Client, error) {
	hook, err := attemptHook(t.meters.Meter("github.com/m2mauth/clerk-m2m"))
	if err != nil {
		return nil, err
	}
	return wrapper.New(append([]wrapper.Option{
		wrapper.WithAttemptHook(hook),
		wrapper.WithHTTPClient(&http.Client{Transport: t.transport(nil)}),
	}, opts...)...)
}

// attemptHook counts attempts at calls to Clerk, by operation, status (0 when no reply came) and which attempt of its
// call each was, and measures how long they took.
func attemptHook(meter metric.Meter) (func(context.Context, wrapper.Attempt), error) {
	attempts, err := meter.Int64Counter("clerk.client.attempts",
		metric.WithDescription("Attempts at calls to Clerk."), metric.WithUnit("{attempt}"))
	if err != nil {
		return nil, err
	}
	duration, err := meter.Float64Histogram("clerk.client.attempt.duration",
		metric.WithDescription("From sending an attempt to the end of the reply."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, a wrapper.Attempt) {
		operation, status := attribute.String("operation", a.Operation), attribute.Int("status", a.Status)
		attempts.Add(ctx, 1, metric.WithAttributes(operation, status, attribute.Int("attempt", a.Number)))
		duration.Record(ctx, a.Duration.Seconds(), metric.WithAttributes(operation, status))
	}, nil
}

// transport traces and measures requests that go out through base; nil is http.DefaultTransport.
func (t telemetry) transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return otelhttp.NewTransport(base, t.options()...)
}

// handler traces and measures requests that come in.
func (t telemetry) handler(h http.Handler) http.Handler {
	return otelhttp.NewHandler(h, "", t.options()...)
}

func (t telemetry) options() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.tracers),
		otelhttp.WithMeterProvider(t.meters),
		otelhttp.WithPropagators(t.propagator),
	}
}
