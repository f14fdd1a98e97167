package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/m2mauth/clerk-m2m/examples/internal/program"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

func TestGRPC(t *testing.T) {
	clerk := program.Clerk(t)
	cert, key := certificate(t)
	var said buffer
	program.As(t, "ak_billing")
	addr := program.Start(t, tee(&said), "serve", "127.0.0.1:0", cert, key)

	program.As(t, "ak_orders")
	if err := run(t.Context(), []string{"check", addr, cert}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if want := "called by " + program.MachineID(t, clerk, "orders"); !strings.Contains(said.String(), want) {
		t.Errorf("billing said %q, want %q", said.String(), want)
	}
	program.As(t, "ak_billing") // which may not call itself
	if err := run(t.Context(), []string{"check", addr, cert}, io.Discard); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a machine without the scope got %v", err)
	}
}

// Without a good token neither a unary nor a streaming RPC reaches the service, and the status says whose fault it is.
func TestRefusals(t *testing.T) {
	clerk := program.Clerk(t)
	cert, key := certificate(t)
	var said buffer
	program.As(t, "ak_billing")
	addr := program.Start(t, tee(&said), "serve", "127.0.0.1:0", cert, key)
	health := healthpb.NewHealthClient(connect(t, addr, cert))

	token := "Bearer " + string(clerk.MintM2M(program.MachineID(t, clerk, "orders")).Token)
	down := m2mtest.Fault{Operation: "verifyM2MToken", Status: http.StatusServiceUnavailable}
	for _, tt := range []struct {
		name   string
		values []string
		faults []m2mtest.Fault
		want   codes.Code
	}{
		{"a good token", []string{token}, nil, codes.OK},
		{"none", nil, nil, codes.Unauthenticated},
		{"another scheme", []string{"Basic " + token[len("Bearer "):]}, nil, codes.Unauthenticated},
		{"an unknown token", []string{"Bearer mt_unknown"}, nil, codes.Unauthenticated},
		{"two tokens", []string{token, token}, nil, codes.Unauthenticated},
		{"Clerk out of order", []string{token}, []m2mtest.Fault{down}, codes.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clerk.Faults(tt.faults...)
			defer clerk.ClearFaults()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for _, value := range tt.values {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
			}
			before := said.String()
			if _, err := health.Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != tt.want {
				t.Errorf("Check: %v, want %v", err, tt.want)
			}
			stream, err := health.Watch(ctx, &healthpb.HealthCheckRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != tt.want {
				t.Errorf("Watch: %v, want %v", err, tt.want)
			}
			if reached := said.String() != before; reached != (tt.want == codes.OK) {
				t.Errorf("the service was reached: %t", reached)
			}
		})
	}
}

func TestRefusedTokenIsDropped(t *testing.T) {
	clerk := program.Clerk(t)
	cert, key := certificate(t)
	program.As(t, "ak_billing")
	addr := program.Start(t, run, "serve", "127.0.0.1:0", cert, key)

	orders := program.MachineID(t, clerk, "orders")
	client := clerk.MachineClient(orders)
	tokens := client.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()
	tls, err := credentials.NewClientTLSFromFile(cert, "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(addr, tokens, tls)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	check := func(want codes.Code) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != want {
			t.Fatalf("got %v, want %v", err, want)
		}
	}

	check(codes.OK)
	for token, err := range client.M2MTokens.All(t.Context(), wrapper.ListM2MTokensParams{Subject: orders}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.M2MTokens.Revoke(t.Context(), token.ID, wrapper.RevokeM2MTokenParams{}); err != nil {
			t.Fatal(err)
		}
	}
	check(codes.Unauthenticated)
	check(codes.OK)
}

func TestTokenNeedsTLS(t *testing.T) {
	clerk := program.Clerk(t)
	tokens := clerk.Client().M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()
	if conn, err := dial("127.0.0.1:1", tokens, insecure.NewCredentials()); err == nil {
		_ = conn.Close()
		t.Error("a connection in the clear would carry the token")
	}
}

// connect makes a connection that carries no token by itself.
func connect(t *testing.T, addr, ca string) *grpc.ClientConn {
	t.Helper()
	tls, err := credentials.NewClientTLSFromFile(ca, "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(tls))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// certificate makes a self-signed certificate for loopback and gives the files of it and of its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", pkcs8)
}

// buffer is what a server said so far.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// tee is run with what it says kept.
func tee(said *buffer) program.Run {
	return func(ctx context.Context, args []string, out io.Writer) error {
		return run(ctx, args, io.MultiWriter(said, out))
	}
}
