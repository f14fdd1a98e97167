// Command otel is two services over HTTP whose traces and metrics go to OpenTelemetry: those of the requests between
// them, and those of their calls to Clerk. It prints both; a service would set up an OTLP exporter instead.
//
//	CLERK_MACHINE_SECRET_KEY=(billing's) otel serve 127.0.0.1:8080
//	CLERK_MACHINE_SECRET_KEY=(orders')   otel fetch http://127.0.0.1:8080/report
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return err
	}
	measurements, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return err
	}
	tracers := trace.NewTracerProvider(trace.WithBatcher(spans))
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(measurements)))
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, tracers.Shutdown(ctx), meters.Shutdown(ctx))
	}()
	return start(ctx, telemetry{tracers, meters, propagation.TraceContext{}}, args, out)
}

func start(ctx context.Context, t telemetry, args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: otel serve ADDRESS | fetch URL")
	}
	client, err := t.client() // CLERK_MACHINE_SECRET_KEY
	if err != nil {
		return err
	}
	switch args[0] {
	case "serve":
		return t.serve(ctx, client, args[1], out)
	case "fetch":
		return t.fetch(ctx, client, args[1], out)
	}
	return fmt.Errorf("otel cannot %q: serve or fetch", args[0])
}
