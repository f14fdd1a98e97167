// Command oauth2 fetches a URL with this machine's token through golang.org/x/oauth2, for code that is given an
// oauth2.TokenSource or an http.Client of that package. Where there is a choice, see ../httpclient: its Transport also
// drops a token that was refused, keeps it from other hosts and from plain http, and honours each request's context.
//
//	CLERK_MACHINE_SECRET_KEY=(orders') oauth2 http://127.0.0.1:8080/report
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"golang.org/x/oauth2"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: oauth2 URL")
	}
	client, err := wrapper.New() // CLERK_MACHINE_SECRET_KEY
	if err != nil {
		return err
	}
	tokens := client.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()
	return fetch(ctx, newClient(ctx, tokens), args[0], out)
}

// lifetime is no shorter than that of any token.
const lifetime = 365 * 24 * time.Hour

// newClient gives an http.Client that sends the tokens of a source.
func newClient(ctx context.Context, tokens oauth2.TokenSource) *http.Client {
	// By itself oauth2.NewClient keeps a token until 10 seconds before its expiry and only then asks for the next: the
	// source could not renew it early, and requests would wait, or fail while Clerk is out of reach. With an early
	// expiry of the whole lifetime it asks the source, which has the token at hand, for each request.
	client := oauth2.NewClient(ctx, oauth2.ReuseTokenSourceWithExpiry(nil, tokens, lifetime))
	client.Timeout = 20 * time.Second
	// oauth2's transport gives the token to every host that a redirect names.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

func fetch(ctx context.Context, client *http.Client, url string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
