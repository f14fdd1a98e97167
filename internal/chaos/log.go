package main

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
)

// capture is the log of a whole run, kept as the set of its long words: enough to find any credential in it.
type capture struct {
	mu    sync.Mutex
	lines int
	words map[string]string // the word, and the message it came with
}

func newCapture() *capture { return &capture{words: make(map[string]string)} }

func (c *capture) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var longWord = regexp.MustCompile(`[A-Za-z0-9_.~+/=-]{16,}`)

// Write takes one line of the log.
func (c *capture) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines++
	for _, word := range longWord.FindAll(line, -1) {
		for part := range strings.SplitSeq(string(word), "=") {
			if _, seen := c.words[part]; len(part) >= 16 && !seen {
				c.words[part] = string(line[:min(len(line), 240)])
			}
		}
	}
	return len(line), nil
}

// credentialShape finds credentials that nobody registered: those of answers that were lost. The id of a token is hex,
// its value is not, but for one in 10^13.
var (
	credentialShape = regexp.MustCompile(`(ak_|sk_test_)[A-Za-z0-9]{42}|(mt_|oat_)[A-Za-z0-9]{32}|eyJ[A-Za-z0-9_-]{10,}\.`)
	tokenIDShape    = regexp.MustCompile(`^(mt_|oat_|ak_)[0-9a-f]{32}$`)
)

// find gives a description of each credential in the log that is one of secrets, or looks like one.
func (c *capture) find(secrets []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for word, line := range c.words {
		for _, match := range credentialShape.FindAllString(word, -1) {
			if !tokenIDShape.MatchString(match) {
				found = append(found, "something of the shape of a credential: "+line)
			}
		}
	}
	for _, secret := range secrets {
		parts := []string{secret}
		if _, rest, ok := strings.Cut(secret, "."); ok { // a JWT: its header is no secret, its payload and signature are
			parts = append(parts, strings.Split(rest, ".")...)
		}
		for _, part := range parts {
			if line, ok := c.words[part]; ok && len(part) >= 16 {
				found = append(found, "a credential: "+line)
			}
		}
	}
	return found
}

// caller logs what a caller was given: errors are what ends up in logs.
func (c *capture) caller(log *slog.Logger, what string, err error) {
	log.LogAttrs(context.Background(), slog.LevelDebug, "caller", slog.String("what", what),
		slog.Any("error", err), slog.String("verbose", fmt.Sprintf("%+v %#v", err, err)))
}
