package m2mtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// summary is a machine without the machines that it may call.
func (s *Server) summary(m *machine) generated.MachineSummary {
	ttl := m.ttl
	return generated.MachineSummary{
		Object:          generated.MachineObjectMachine,
		ID:              m.id,
		Name:            m.name,
		InstanceID:      s.instanceID,
		DefaultTokenTTL: &ttl,
		CreatedAt:       millis(m.created),
		UpdatedAt:       millis(m.updated),
	}
}

func (s *Server) machineReply(m *machine) generated.Machine {
	sum := s.summary(m)
	reply := generated.Machine{
		Object:          sum.Object,
		ID:              sum.ID,
		Name:            sum.Name,
		InstanceID:      sum.InstanceID,
		DefaultTokenTTL: sum.DefaultTokenTTL,
		CreatedAt:       sum.CreatedAt,
		UpdatedAt:       sum.UpdatedAt,
		ScopedMachines:  []generated.MachineSummary{},
	}
	for _, id := range m.scopes {
		if to := s.state.machine(id); to != nil {
			reply.ScopedMachines = append(reply.ScopedMachines, s.summary(to))
		}
	}
	return reply
}

func noMachine() *refusal { return notFound("There is no machine with that id.") }

// newMachine adds a machine. The caller has the lock.
func (s *Server) newMachine(name string, scopes []string, ttl *int64) *machine {
	now := s.Now()
	m := &machine{
		id:      s.ids.id("mch_"),
		name:    name,
		ttl:     defaultTokenTTL,
		scopes:  slices.Clone(scopes),
		secret:  s.ids.text("ak_", 42),
		created: now,
		updated: now,
	}
	if ttl != nil {
		m.ttl = *ttl
	}
	s.state.machines = append(s.state.machines, m)
	return m
}

// ListMachines implements GET /machines.
func (a api) ListMachines(w http.ResponseWriter, r *http.Request, params generated.ListMachinesParams) {
	a.serve(w, r, http.StatusOK, func(*call) (any, *refusal) {
		query := ""
		if params.Query != nil {
			query = *params.Query
		}
		found := newestFirst(a.state.machines, func(m *machine) bool {
			return m.id == query || strings.Contains(strings.ToLower(m.name), strings.ToLower(query))
		})
		order := "-created_at"
		if params.OrderBy != nil && *params.OrderBy != "" {
			order = *params.OrderBy
		}
		if !sortMachines(found, order) {
			return nil, unprocessable("form_param_invalid", "order_by", "order_by must be name or created_at, with - or + before it or without.")
		}
		list := generated.MachineList{Data: []generated.Machine{}, TotalCount: int64(len(found))}
		for _, m := range page(found, params.Limit, params.Offset, 10) {
			list.Data = append(list.Data, a.machineReply(m))
		}
		return list, nil
	})
}

// sortMachines sorts machines that come newest first. A + in a query is a space when it is not escaped.
func sortMachines(machines []*machine, order string) bool {
	field := strings.TrimLeft(order, " +")
	field, descending := strings.CutPrefix(field, "-")
	switch field {
	case "created_at":
		if !descending {
			slices.Reverse(machines)
		}
	case "name":
		slices.SortStableFunc(machines, func(x, y *machine) int {
			if descending {
				x, y = y, x
			}
			return cmp.Compare(x.name, y.name)
		})
	default:
		return false
	}
	return true
}

// CreateMachine implements POST /machines.
func (a api) CreateMachine(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		req, refused := decode[generated.CreateMachineRequest](c)
		if refused != nil {
			return nil, refused
		}
		for i, id := range req.ScopedMachines {
			switch {
			case a.state.machine(id) == nil:
				return nil, unprocessable("form_param_invalid", "scoped_machines", fmt.Sprintf("scoped_machines/%d is not the id of a machine of this instance.", i))
			case slices.Contains(req.ScopedMachines[:i], id):
				return nil, unprocessable("form_param_duplicate", "scoped_machines", fmt.Sprintf("scoped_machines/%d is there before.", i))
			}
		}
		m := a.newMachine(req.Name, req.ScopedMachines, req.DefaultTokenTTL)
		reply := a.machineReply(m)
		reply.SecretKey = generated.Secret(m.secret)
		return reply, nil
	})
}

// withMachine answers with what f gives of the machine that a path names.
func (a api) withMachine(w http.ResponseWriter, r *http.Request, id string, f func(*call, *machine) (any, *refusal)) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		m := a.state.machine(id)
		if m == nil {
			return nil, noMachine()
		}
		return f(c, m)
	})
}

// GetMachine implements GET /machines/{machine_id}.
func (a api) GetMachine(w http.ResponseWriter, r *http.Request, id generated.PathMachineID) {
	a.withMachine(w, r, id, func(_ *call, m *machine) (any, *refusal) { return a.machineReply(m), nil })
}

// UpdateMachine implements PATCH /machines/{machine_id}.
func (a api) UpdateMachine(w http.ResponseWriter, r *http.Request, id generated.PathMachineID) {
	a.withMachine(w, r, id, func(c *call, m *machine) (any, *refusal) {
		req, refused := decode[struct {
			Name            *string `json:"name"`
			DefaultTokenTTL *int64  `json:"default_token_ttl"`
		}](c)
		if refused != nil {
			return nil, refused
		}
		if req.Name != nil {
			m.name = *req.Name
		}
		if req.DefaultTokenTTL != nil {
			m.ttl = *req.DefaultTokenTTL
		}
		m.updated = c.now
		return a.machineReply(m), nil
	})
}

// DeleteMachine implements DELETE /machines/{machine_id}.
func (a api) DeleteMachine(w http.ResponseWriter, r *http.Request, id generated.PathMachineID) {
	a.withMachine(w, r, id, func(c *call, m *machine) (any, *refusal) {
		a.state.deleteMachine(m.id, c.now)
		return generated.DeletedMachine{Object: generated.MachineObjectMachine, ID: m.id, Deleted: true}, nil
	})
}

func secretReply(m *machine) generated.MachineSecretKey {
	return generated.MachineSecretKey{Object: generated.MachineSecretKeyObjectMachineSecretKey, Secret: generated.Secret(m.secret)}
}

// GetMachineSecretKey implements GET /machines/{machine_id}/secret_key.
func (a api) GetMachineSecretKey(w http.ResponseWriter, r *http.Request, id generated.PathMachineID) {
	a.withMachine(w, r, id, func(_ *call, m *machine) (any, *refusal) { return secretReply(m), nil })
}

// RotateMachineSecretKey implements POST /machines/{machine_id}/secret_key/rotate.
func (a api) RotateMachineSecretKey(w http.ResponseWriter, r *http.Request, id generated.PathMachineID) {
	a.withMachine(w, r, id, func(c *call, m *machine) (any, *refusal) {
		req, refused := decode[generated.RotateMachineSecretKeyRequest](c)
		if refused != nil {
			return nil, refused
		}
		until := c.now.Add(time.Duration(req.PreviousTokenTTL) * time.Second)
		m.previous = slices.DeleteFunc(m.previous, func(p previousSecret) bool { return !c.now.Before(p.until) })
		m.previous = append(m.previous, previousSecret{m.secret, until})
		m.secret, m.updated = a.ids.text("ak_", 42), c.now
		return secretReply(m), nil
	})
}

// CreateMachineScope implements POST /machines/{machine_id}/scopes.
func (a api) CreateMachineScope(w http.ResponseWriter, r *http.Request, id generated.PathMachineID) {
	a.withMachine(w, r, id, func(c *call, m *machine) (any, *refusal) {
		req, refused := decode[generated.CreateMachineScopeRequest](c)
		if refused != nil {
			return nil, refused
		}
		switch {
		case a.state.machine(req.ToMachineID) == nil:
			return nil, notFound("There is no machine with the id that to_machine_id gives.")
		case slices.Contains(m.scopes, req.ToMachineID):
			return nil, refuse(http.StatusConflict, "machine_scope_already_exists", "Conflict", "The machine may call that machine already.")
		case len(m.scopes) >= maxScopes:
			return nil, unprocessable("machine_scope_limit_exceeded", "to_machine_id", fmt.Sprintf("The machine may call %d machines already, which is the most.", maxScopes))
		}
		m.scopes, m.updated = append(m.scopes, req.ToMachineID), c.now
		return generated.MachineScope{
			Object:        generated.MachineScopeObjectMachineScope,
			FromMachineID: m.id,
			ToMachineID:   req.ToMachineID,
			CreatedAt:     millis(c.now),
		}, nil
	})
}

// DeleteMachineScope implements DELETE /machines/{machine_id}/scopes/{other_machine_id}.
func (a api) DeleteMachineScope(w http.ResponseWriter, r *http.Request, id generated.PathMachineID, other generated.MachineID) {
	a.withMachine(w, r, id, func(c *call, m *machine) (any, *refusal) {
		i := slices.Index(m.scopes, other)
		if i < 0 {
			return nil, notFound("The machine may not call that machine anyway.")
		}
		m.scopes, m.updated = slices.Delete(m.scopes, i, i+1), c.now
		return generated.DeletedMachineScope{
			Object:        generated.MachineScopeObjectMachineScope,
			FromMachineID: m.id,
			ToMachineID:   other,
			Deleted:       true,
		}, nil
	})
}

// GetJWKS implements GET /jwks.
func (a api) GetJWKS(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, http.StatusOK, func(*call) (any, *refusal) { return a.keys.public(), nil })
}
