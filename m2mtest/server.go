package m2mtest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/internal/server"
	"github.com/m2mauth/clerk-m2m/internal/spec"
)

// frontendHost is the host of the instance's Frontend API: reserved by RFC 2606, so that nothing answers there.
const frontendHost = "clerk.m2mtest.example"

// defaultMachine is the name of the machine that exists from the start.
const defaultMachine = "default"

// TB is the part of [testing.TB] that a [Server] uses.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is an instance of Clerk's machine-auth API in memory. It is safe for concurrent use.
type Server struct {
	config
	tb   TB
	spec *spec.Spec
	api  http.Handler

	ids, traces, chances *random
	advanced             atomic.Int64 // nanoseconds

	instanceID string
	secretKey  string
	machine    Machine // the one that exists from the start

	mu      sync.Mutex // guards what follows
	state   state
	keys    keys
	dropped int // signing keys that are no longer in keys
	rate    map[string]*window
	rules   []*rule
	calls   []Call
	cost    Cost

	serving  sync.Mutex // guards what follows
	http     *http.Server
	address  string
	done     chan struct{} // closed when the listener is
	shutdown context.CancelFunc
	closing  context.Context
}

// NewServer starts a server on a free port of the loopback interface for the time of a test. Misuse of its methods
// fails the test.
func NewServer(t TB, opts ...Option) *Server {
	t.Helper()
	s, err := New(opts...)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	s.tb = t
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// New makes a server that does not listen: it is an [http.Handler], and [Server.Start] makes it listen. Misuse of its
// methods panics. The error says which option is wrong.
func New(opts ...Option) (*Server, error) {
	c := config{clock: time.Now}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("m2mtest: an option is nil")
		}
		if err := opt(&c); err != nil {
			return nil, err
		}
	}
	loaded, err := spec.Load()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:  c,
		tb:      noTest{},
		spec:    loaded,
		ids:     newRandom(c.seed, 0),
		traces:  newRandom(c.seed, 1),
		chances: newRandom(c.seed, 2),
		state:   newState(),
		rate:    make(map[string]*window),
	}
	s.closing, s.shutdown = context.WithCancel(context.Background())
	s.api = server.HandlerWithOptions(api{s}, server.StdHTTPServerOptions{
		BaseRouter: http.NewServeMux(),
		ErrorHandlerFunc: func(w http.ResponseWriter, _ *http.Request, _ error) {
			s.writeRefusal(w, badRequest("path", "", "cannot be parsed"))
		},
	})
	s.instanceID = s.ids.id("ins_")
	s.secretKey = c.instance
	if s.secretKey == "" {
		s.secretKey = s.ids.text("sk_test_", 42)
	}
	s.keys = keys{{kid: s.instanceID, signer: s.firstSigner}}
	s.machine = s.AddMachine(defaultMachine)
	return s, nil
}

// Start makes the server listen on an address, such as "127.0.0.1:0" for any free port. It returns when calls can be
// made; [Server.Close] ends it.
func (s *Server) Start(address string) error {
	s.serving.Lock()
	defer s.serving.Unlock()
	if s.http != nil || s.closing.Err() != nil {
		return errors.New("m2mtest: the server was started before")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("m2mtest: %w", err)
	}
	s.address = listener.Addr().String()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // connections are broken on purpose
	}
	s.done = make(chan struct{})
	go func(h *http.Server) {
		defer close(s.done)
		_ = h.Serve(listener) // until Close
	}(s.http)
	return nil
}

// Close ends the listener and all connections, and waits for the listener. It may be called more than once.
func (s *Server) Close() error {
	s.shutdown()
	s.serving.Lock()
	defer s.serving.Unlock()
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	<-s.done
	return err
}

// URL gives the base URL without a path, as CLERK_API_URL holds it, or "" before [Server.Start].
func (s *Server) URL() string {
	if address := s.listening(); address != "" {
		return "http://" + address
	}
	return ""
}

func (s *Server) listening() string {
	s.serving.Lock()
	defer s.serving.Unlock()
	return s.address
}

// SecretKey gives the secret key of the instance (sk_...).
func (s *Server) SecretKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secretKey
}

// PublishableKey gives the publishable key of the instance (pk_test_...). It names this server as the Frontend API once
// it listens: the public key set is served at /.well-known/jwks.json without a credential.
func (s *Server) PublishableKey() string {
	host := frontendHost
	if address := s.listening(); address != "" {
		host = address
	}
	return "pk_test_" + base64.StdEncoding.EncodeToString([]byte(host+"$"))
}

// Issuer gives the iss of all JWTs.
func (s *Server) Issuer() string { return "https://" + frontendHost }

// InstanceID gives the id of the instance (ins_...), which is the kid of its first signing key, too.
func (s *Server) InstanceID() string { return s.instanceID }

// Machine gives the machine that exists from the start, named "default".
func (s *Server) Machine() Machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine
}

// Now gives the server's time.
func (s *Server) Now() time.Time { return s.clock().Add(time.Duration(s.advanced.Load())) }

// Advance moves the server's clock forward, or back.
func (s *Server) Advance(d time.Duration) { s.advanced.Add(int64(d)) }

// String gives the URL.
func (s *Server) String() string { return "m2mtest.Server(" + s.URL() + ")" }

// Format implements [fmt.Formatter] for every verb, so that none prints a credential.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// fail reports a misuse of the server by its test.
func (s *Server) fail(format string, args ...any) {
	s.tb.Helper()
	s.tb.Fatalf("m2mtest: "+format, args...)
}

// noTest is the TB of a server without a test.
type noTest struct{}

func (noTest) Helper()                           {}
func (noTest) Cleanup(func())                    {}
func (noTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Machine is a machine of the instance.
type Machine struct {
	ID        string
	Name      string
	SecretKey generated.Secret // the newest
}
