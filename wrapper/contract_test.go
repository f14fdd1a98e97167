package wrapper_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/internal/contract"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// judged is a backend whose client's requests, and the replies to them, are judged by the spec. It has two machines;
// orders may call billing.
type judged struct {
	*m2mtest.Server
	judge           *contract.Transport
	client          *wrapper.Client // with the instance's key only
	billing, orders m2mtest.Machine
}

func newJudged(t *testing.T) *judged {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	judge, err := contract.NewTransport(transport, "/v1")
	if err != nil {
		t.Fatal(err)
	}
	s := m2mtest.NewServer(t)
	j := &judged{Server: s, judge: judge}
	j.client = newClient(t, wrapper.WithBaseURL(s.URL()), wrapper.WithSecretKey(s.SecretKey()), wrapper.WithHTTPClient(&http.Client{Transport: judge}))
	j.billing = s.AddMachine("billing")
	j.orders = s.AddMachine("orders", j.billing.ID)
	return j
}

// must gives the result of a call that has to succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// status fails the test unless an error is Clerk's refusal with this status.
func status(t *testing.T, err error, want int) {
	t.Helper()
	e, is := errors.AsType[*wrapper.APIError](err)
	if !is || e.Status != want || len(e.Codes()) == 0 || e.TraceID == "" {
		t.Errorf("want Clerk's %d, and got %v", want, err)
	}
}

// Every operation is made by the wrapper and answered by the backend, and the spec judges both; every declared success
// is seen, and every declared failure that the backend gives to a request that keeps the spec.
func TestContract(t *testing.T) {
	t.Parallel()
	j := newJudged(t)
	j.tokens(t)
	j.machines(t)
	j.apiKeys(t)
	j.oauthTokens(t)
	if keys := must(j.client.Keys.JWKS(t.Context()))(t); len(keys.Keys) != 1 || keys.Keys[0].Kid != j.InstanceID() {
		t.Errorf("the keys are %+v", keys.Keys)
	}
	j.refusals(t)

	for _, v := range j.judge.Violations() {
		t.Error(v)
	}
	coverage := j.judge.Coverage()
	if missing := coverage.Missing(); len(missing) > 0 || len(coverage.Operations) != len(generated.Operations()) {
		t.Errorf("missing: %q", missing)
	}
	t.Log(coverage)
}

func (j *judged) tokens(t *testing.T) {
	ctx, s := t.Context(), j.client.M2MTokens
	asOrders, asBilling := wrapper.MachineSecretKey(string(j.orders.SecretKey)), wrapper.MachineSecretKey(string(j.billing.SecretKey))
	format := wrapper.TokenFormatJWT
	for _, params := range []wrapper.CreateM2MTokenParams{
		{},
		{TokenFormat: &format, Claims: []byte(`{"tenant":"acme"}`), SecondsUntilExpiration: new(int64(60))},
	} {
		created := must(s.Create(ctx, params, asOrders))(t)
		for _, edit := range [][]wrapper.RequestEditor{{asBilling}, nil} {
			if got := must(s.Verify(ctx, string(created.Token), edit...))(t); got.ID != created.ID || got.Subject != j.orders.ID || !slices.Equal(got.Scopes, []string{j.billing.ID}) {
				t.Errorf("verified: %+v", got)
			}
		}
	}
	opaque := must(s.Create(ctx, wrapper.CreateM2MTokenParams{}, asOrders))(t)
	if list := must(s.List(ctx, wrapper.ListM2MTokensParams{Subject: j.orders.ID}, asOrders))(t); list.TotalCount != 2 || len(list.M2MTokens) != 2 {
		t.Errorf("listed: %+v", list)
	}
	if got := must(s.Revoke(ctx, opaque.ID, wrapper.RevokeM2MTokenParams{RevocationReason: new("rotated")}, asOrders))(t); !got.Revoked || *got.RevocationReason != "rotated" {
		t.Errorf("revoked: %+v", got)
	}
	_, err := s.Verify(ctx, string(opaque.Token), asBilling)
	status(t, err, http.StatusNotFound)
	_, err = s.List(ctx, wrapper.ListM2MTokensParams{Subject: j.orders.ID}, asBilling)
	status(t, err, http.StatusForbidden)
	_, err = s.List(ctx, wrapper.ListM2MTokensParams{Subject: anID})
	status(t, err, http.StatusNotFound)
	_, err = s.Create(ctx, wrapper.CreateM2MTokenParams{MinRemainingTTLSeconds: new(int64(60)), SecondsUntilExpiration: new(int64(60))}, asOrders)
	status(t, err, http.StatusBadRequest)
}

func (j *judged) machines(t *testing.T) {
	ctx, s := t.Context(), j.client.Machines
	created := must(s.Create(ctx, wrapper.CreateMachineParams{Name: "shipping", DefaultTokenTTL: new(int64(60))}))(t)
	if got := must(s.AddScope(ctx, created.ID, j.billing.ID))(t); got.FromMachineID != created.ID || got.ToMachineID != j.billing.ID {
		t.Errorf("the scope is %+v", got)
	}
	_, err := s.AddScope(ctx, created.ID, j.billing.ID)
	status(t, err, http.StatusConflict)
	if got := must(s.Get(ctx, created.ID))(t); got.SecretKey != "" || len(got.ScopedMachines) != 1 || got.ScopedMachines[0].ID != j.billing.ID {
		t.Errorf("got: %+v", got)
	}
	if got := must(s.RemoveScope(ctx, created.ID, j.billing.ID))(t); !got.Deleted || got.ToMachineID != j.billing.ID {
		t.Errorf("the removed scope is %+v", got)
	}
	if got := must(s.Update(ctx, created.ID, wrapper.UpdateMachineParams{Name: new("delivery")}))(t); got.Name != "delivery" || *got.DefaultTokenTTL != 60 {
		t.Errorf("updated: %+v", got)
	}
	if list := must(s.List(ctx, wrapper.ListMachinesParams{Query: new("deliv"), OrderBy: new("-name"), Limit: new(int64(500)), Offset: new(int64(0))}))(t); list.TotalCount != 1 {
		t.Errorf("listed: %+v", list)
	}
	names := ""
	for m, err := range s.All(ctx, wrapper.ListMachinesParams{Limit: new(int64(1)), OrderBy: new("name")}) {
		names += must(m, err)(t).Name + " "
	}
	if names != "billing default delivery orders " {
		t.Errorf("all machines: %s", names)
	}
	if got := must(s.SecretKey(ctx, created.ID))(t); got != created.SecretKey {
		t.Error("the secret key is another")
	}
	rotated := must(s.RotateSecretKey(ctx, created.ID, wrapper.RotateMachineSecretKeyParams{}))(t)
	if rotated == created.SecretKey || string(rotated) != j.MachineSecretKey(created.ID) {
		t.Error("the rotated key is not the machine's")
	}
	if got := must(s.Delete(ctx, created.ID))(t); !got.Deleted || got.ID != created.ID {
		t.Errorf("deleted: %+v", got)
	}
	_, err = s.Create(ctx, wrapper.CreateMachineParams{Name: "x", ScopedMachines: []string{created.ID}})
	status(t, err, http.StatusUnprocessableEntity)
}

func (j *judged) apiKeys(t *testing.T) {
	ctx, s, subject := t.Context(), j.client.APIKeys, j.UserID()
	params := wrapper.CreateAPIKeyParams{Name: "deploy", Subject: subject, Scopes: []string{"read"}, Claims: []byte(`{"tenant":"acme"}`)}
	created := must(s.Create(ctx, params))(t)
	_, err := s.Create(ctx, params)
	status(t, err, http.StatusConflict)
	if got := must(s.Get(ctx, created.ID))(t); got.Name != "deploy" || got.Secret != "" {
		t.Errorf("got: %+v", got)
	}
	if got := must(s.Secret(ctx, created.ID))(t); got != created.Secret {
		t.Error("the secret is another")
	}
	if got := must(s.Update(ctx, created.ID, wrapper.UpdateAPIKeyParams{Scopes: []string{"write"}}))(t); !slices.Equal(got.Scopes, []string{"write"}) {
		t.Errorf("updated: %+v", got)
	}
	if list := must(s.List(ctx, wrapper.ListAPIKeysParams{Subject: subject, Query: new("dep")}))(t); list.TotalCount != 1 {
		t.Errorf("listed: %+v", list)
	}
	if got := must(s.Verify(ctx, string(created.Secret)))(t); got.Subject != subject {
		t.Errorf("verified: %+v", got)
	}
	if got := must(s.Revoke(ctx, created.ID, wrapper.RevokeAPIKeyParams{RevocationReason: new("leaked")}))(t); !got.Revoked {
		t.Errorf("revoked: %+v", got)
	}
	_, err = s.Verify(ctx, string(created.Secret))
	status(t, err, http.StatusNotFound)
	if got := must(s.Delete(ctx, created.ID))(t); !got.Deleted {
		t.Errorf("deleted: %+v", got)
	}
}

func (j *judged) oauthTokens(t *testing.T) {
	ctx, s, user := t.Context(), j.client.OAuthTokens, j.UserID()
	for _, token := range []string{string(j.MintOAuth(user).Token), j.MintOAuthJWT(user)} {
		if got := must(s.Verify(ctx, token))(t); got.Subject != user {
			t.Errorf("verified: %+v", got)
		}
	}
	_, err := s.Verify(ctx, "oat_unknown")
	status(t, err, http.StatusNotFound)
	_, err = s.Verify(ctx, j.MintOAuthJWT(user, m2mtest.ExpiresIn(-time.Hour)))
	if !errors.Is(err, wrapper.ErrInactiveToken) {
		t.Errorf("an expired JWT: %v", err)
	}
}

// refusals makes each operation that takes an id with one that nothing has, and each that declares 401 with a key that
// Clerk does not know.
func (j *judged) refusals(t *testing.T) {
	ids := map[string]string{
		"machine_id": anID, "m2m_token_id": "mt_" + strings.Repeat("0", 32), "apiKeyID": "ak_" + strings.Repeat("0", 32),
	}
	declared := make(map[string][]int)
	for _, op := range j.judge.Coverage().Operations {
		declared[op.ID] = op.Declared
	}
	for _, op := range generated.Operations() {
		id := anID
		if _, param, found := strings.Cut(op.Path, "{"); found {
			name, _, _ := strings.Cut(param, "}")
			id = ids[name]
			status(t, perform(t, op, j.client, id), http.StatusNotFound)
		}
		if slices.Contains(declared[op.ID], http.StatusUnauthorized) {
			status(t, perform(t, op, j.client, id, wrapper.SecretKey("sk_test_unknown")), http.StatusUnauthorized)
		}
	}
}

// Even when Clerk answers 200 for a dead token, as the spec lets it, the wrapper does not take it for a live one.
func TestDeadTokensAreNoResult(t *testing.T) {
	t.Parallel()
	s := m2mtest.NewServer(t, m2mtest.WithDeadTokensAs200())
	c := s.Client(wrapper.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	for name, option := range map[string]m2mtest.MintOption{"revoked": m2mtest.Revoked("leaked"), "expired": m2mtest.ExpiresIn(-time.Minute)} {
		token, err := c.M2MTokens.Verify(t.Context(), string(s.MintM2M(s.Machine().ID, option).Token), wrapper.SecretKey(s.SecretKey()))
		if token != nil || !errors.Is(err, wrapper.ErrInactiveToken) {
			t.Errorf("%s token: %+v, %v", name, token, err)
		}
		key, err := c.APIKeys.Verify(t.Context(), string(s.MintAPIKey(s.UserID(), option).Secret))
		if key != nil || !errors.Is(err, wrapper.ErrInactiveToken) {
			t.Errorf("%s key: %+v, %v", name, key, err)
		}
	}
}
