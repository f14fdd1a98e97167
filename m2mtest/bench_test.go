package m2mtest_test

import (
	"testing"

	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// What a server costs each test that uses one.
func BenchmarkNewServer(b *testing.B) {
	for b.Loop() {
		s, err := m2mtest.New()
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Start("127.0.0.1:0"); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	s := m2mtest.NewServer(b)
	client := s.Client()
	token := string(s.MintM2M(s.Machine().ID, m2mtest.Scopes(s.Machine().ID)).Token)
	for b.Loop() {
		if _, err := client.M2MTokens.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateJWT(b *testing.B) {
	s := m2mtest.NewServer(b)
	client := s.Client()
	format := wrapper.TokenFormatJWT
	for b.Loop() {
		if _, err := client.M2MTokens.Create(b.Context(), wrapper.CreateM2MTokenParams{TokenFormat: &format}); err != nil {
			b.Fatal(err)
		}
	}
}
