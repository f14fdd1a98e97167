package m2mtest

import "github.com/m2mauth/clerk-m2m/wrapper"

// Client gives a client of this server that has the instance's secret key and that of [Server.Machine]. Options may
// change both; the environment is left alone.
func (s *Server) Client(opts ...wrapper.Option) *wrapper.Client {
	s.tb.Helper()
	return s.client(append([]wrapper.Option{
		wrapper.WithSecretKey(s.SecretKey()),
		wrapper.WithMachineSecretKey(s.MachineSecretKey(s.Machine().ID)),
	}, opts...))
}

// MachineClient gives a client of this server that has only the secret key of a machine, as a service would in
// production.
func (s *Server) MachineClient(machineID string, opts ...wrapper.Option) *wrapper.Client {
	s.tb.Helper()
	return s.client(append([]wrapper.Option{wrapper.WithMachineSecretKey(s.MachineSecretKey(machineID))}, opts...))
}

func (s *Server) client(opts []wrapper.Option) *wrapper.Client {
	s.tb.Helper()
	if s.URL() == "" {
		s.fail("a client needs a server that listens: call Start first")
		return nil
	}
	client, err := wrapper.New(append([]wrapper.Option{wrapper.WithoutEnv(), wrapper.WithBaseURL(s.URL())}, opts...)...)
	if err != nil {
		s.fail("%v", err)
		return nil
	}
	return client
}
