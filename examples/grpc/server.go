package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// billing is the service. It says on out who calls.
type billing struct {
	healthpb.UnimplementedHealthServer
	out io.Writer
}

func (b *billing) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	fmt.Fprintln(b.out, "called by", callerFrom(ctx).MachineID)
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

func (b *billing) Watch(_ *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	fmt.Fprintln(b.out, "watched by", callerFrom(stream.Context()).MachineID)
	return stream.Send(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING})
}

// serve answers machines until the context ends.
func serve(ctx context.Context, client *wrapper.Client, addr, certFile, keyFile string, out io.Writer) error {
	tls, err := credentials.NewServerTLSFromFile(certFile, keyFile)
	if err != nil {
		return err
	}
	auth, err := authn.New(client)
	if err != nil {
		return err
	}
	defer auth.Close()

	server := grpc.NewServer(append(interceptors(auth), grpc.Creds(tls))...)
	healthpb.RegisterHealthServer(server, &billing{out: out})

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on %s\n", listener.Addr())

	defer context.AfterFunc(ctx, server.Stop)()
	return server.Serve(listener)
}
