package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/m2mauth/clerk-m2m/authn"
)

// interceptors let only machines call, unary and streaming RPCs alike.
func interceptors(auth *authn.Authenticator) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			ctx, err := authenticate(ctx, auth)
			if err != nil {
				return nil, err
			}
			return handle(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			ctx, err := authenticate(stream.Context(), auth)
			if err != nil {
				return err
			}
			return handle(srv, &authenticatedStream{stream, ctx})
		}),
	}
}

// authenticate gives a context that holds the calling machine, or the status that the call ends with.
func authenticate(ctx context.Context, auth *authn.Authenticator) (context.Context, error) {
	state, err := auth.AuthenticateToken(ctx, bearer(ctx), authn.M2MToken)
	if err != nil {
		slog.ErrorContext(ctx, "cannot authenticate", "error", err) // a credential is missing in our configuration
		return nil, status.Error(codes.Internal, "internal error")
	}
	if caller, ok := state.Auth.(*authn.M2MAuth); ok {
		return context.WithValue(ctx, callerKey{}, caller), nil
	}
	slog.DebugContext(ctx, "caller refused", "reason", state.Reason, "error", state.Err)
	switch {
	case errors.Is(state.Err, authn.ErrCannotDecide): // not the caller's fault: it may try again
		return nil, status.Error(codes.Unavailable, "the caller cannot be authenticated now")
	case errors.Is(state.Err, authn.ErrForbidden):
		return nil, status.Error(codes.PermissionDenied, "the caller is not allowed")
	}
	return nil, status.Error(codes.Unauthenticated, "a valid M2M token is required")
}

// bearer gives the token in the authorization metadata, or "" where there is not exactly one.
func bearer(ctx context.Context) string {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

type callerKey struct{}

// callerFrom gives the machine that calls; nil outside an RPC that authenticate let pass.
func callerFrom(ctx context.Context) *authn.M2MAuth {
	caller, _ := ctx.Value(callerKey{}).(*authn.M2MAuth)
	return caller
}

type authenticatedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *authenticatedStream) Context() context.Context { return s.ctx }
