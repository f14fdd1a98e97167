package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// network is what a [proxy] does to connections. Its zero value lets everything pass.
type network struct {
	latency    time.Duration // before each piece that is passed on
	resetAfter int           // bytes of an answer after which the connection is reset
	halfOpen   bool          // connections are accepted and what is sent is read, and nothing ever comes back
	refuse     bool          // new connections are reset at once
}

// proxy is the network between the module and the backend, at the level of TCP.
type proxy struct {
	target   string
	listener net.Listener
	now      atomic.Pointer[network]
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newProxy(target string) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{target: target, listener: listener, conns: make(map[net.Conn]bool)}
	p.now.Store(&network{})
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// set changes what happens to all connections from now on. cut resets those that are open.
func (p *proxy) set(n network, cut bool) {
	p.now.Store(&n)
	if cut {
		p.cut()
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c)
	}
}

// open is how many connections there are, of both sides.
func (p *proxy) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *proxy) close() {
	p.cancel()
	_ = p.listener.Close()
	p.cut()
	p.running.Wait()
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if p.now.Load().refuse {
			reset(c)
			continue
		}
		p.running.Go(func() { p.serve(c) })
	}
}

// keep registers a connection, and tells whether the proxy still runs.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return p.ctx.Err() == nil
}

func (p *proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *proxy) serve(client net.Conn) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	backend, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		return
	}
	defer p.drop(backend)
	if !p.keep(backend) {
		return
	}
	var dead atomic.Bool // once something was swallowed nothing can follow it
	var back sync.WaitGroup
	back.Go(func() { p.pass(client, backend, &dead, true) })
	p.pass(backend, client, &dead, false)
	_ = backend.Close()
	back.Wait()
}

// pass copies from one side to the other until either ends.
func (p *proxy) pass(to, from net.Conn, dead *atomic.Bool, answer bool) {
	defer func() {
		if !dead.Load() || !answer { // a half-open connection ends when the client gives up
			_ = to.Close()
		}
	}()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		now := p.now.Load()
		if now.latency > 0 && !p.sleep(now.latency) {
			return
		}
		if now.halfOpen {
			dead.Store(true)
		}
		switch {
		case dead.Load():
			continue
		case answer && now.resetAfter > 0:
			_, _ = to.Write(buf[:min(n, now.resetAfter)])
			reset(to)
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// reset ends a connection so that the other side sees it reset, not closed.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
