package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/oauth"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// dial makes a connection whose every RPC carries the source's token. A service makes it once, when it starts.
//
// oauth.TokenSource refuses a connection without TLS. It does not pass the RPC's context on: where there is no token
// yet, an RPC may wait beyond its deadline, for as long as one call to Clerk may take. The interceptor asks first, within
// the context; streaming RPCs want one of their own.
func dial(addr string, tokens *wrapper.TokenSource, tls credentials.TransportCredentials) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr,
		grpc.WithTransportCredentials(tls),
		grpc.WithPerRPCCredentials(oauth.TokenSource{TokenSource: tokens}),
		grpc.WithUnaryInterceptor(dropRefused(tokens)))
}

// dropRefused forgets a token that the callee refused, such as one that was revoked: the next RPC has another minted. It
// asks for the token before the RPC, because afterwards another may have come that nobody refused.
func dropRefused(tokens *wrapper.TokenSource) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		token, err := tokens.TokenContext(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return status.FromContextError(ctx.Err()).Err()
			}
			return status.Error(codes.Unavailable, err.Error())
		}
		err = invoke(ctx, method, req, reply, conn, opts...)
		if status.Code(err) == codes.Unauthenticated {
			tokens.Invalidate(token)
		}
		return err
	}
}

// check asks billing whether it is well.
func check(ctx context.Context, client *wrapper.Client, addr, caFile string) error {
	tls, err := credentials.NewClientTLSFromFile(caFile, "")
	if err != nil {
		return err
	}
	tokens := client.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()
	conn, err := dial(addr, tokens, tls)
	if err != nil {
		return err
	}
	defer conn.Close()

	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	return err
}
