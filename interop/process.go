package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// node gives a command that runs a script of this folder with Node.js. It is interrupted, then killed, by its own
// process id when ctx ends. It is not given the environment's Clerk credentials: every peer is told what it needs.
func node(ctx context.Context, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CLERK_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// tail keeps the end of what is written to it, for an error's text.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - tailSize; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.buf.String())
}

// server is a process that serves until it is stopped.
type server struct {
	cmd    *exec.Cmd
	log    *tail
	exited chan error
}

// serve starts cmd and waits until ready finds in its output what it looks for.
func serve(ctx context.Context, cmd *exec.Cmd, ready func(output string) (found string)) (*server, string, error) {
	s := &server{cmd: cmd, log: &tail{}, exited: make(chan error, 1)}
	seen := make(chan string, 1)
	out := &lineWatcher{line: func(line string) {
		if found := ready(line); found != "" {
			select {
			case seen <- found:
			default:
			}
		}
	}}
	cmd.Stdout = io.MultiWriter(s.log, out)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() { s.exited <- cmd.Wait() }()
	select {
	case found := <-seen:
		return s, found, nil
	case err := <-s.exited:
		return nil, "", fmt.Errorf("%s ended before it served (%v):\n%s", cmd.Args[1], err, s.log)
	case <-ctx.Done():
		s.stop()
		return nil, "", fmt.Errorf("%s did not come to serve: %w\n%s", cmd.Args[1], context.Cause(ctx), s.log)
	}
}

// stop ends the process and waits for its end.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// lineWatcher calls line for each whole line written to it.
type lineWatcher struct {
	line func(string)
	rest []byte
}

func (w *lineWatcher) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.line(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
}
