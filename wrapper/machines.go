package wrapper

import (
	"context"
	"iter"

	"github.com/m2mauth/clerk-m2m/generated"
)

// Machines manages the machines of an instance. Every call takes the instance's secret key.
type Machines struct{ c *core }

// Create creates a machine. Its secret key is in the result's SecretKey.
func (s *Machines) Create(ctx context.Context, params CreateMachineParams, edit ...RequestEditor) (*Machine, error) {
	resp, err := s.c.api.CreateMachine(ctx, params, edit...)
	return result[Machine](&generated.OpCreateMachine, resp, err)
}

// Get gives one machine.
func (s *Machines) Get(ctx context.Context, id string, edit ...RequestEditor) (*Machine, error) {
	if err := checkID(&generated.OpGetMachine, "machine_id", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.GetMachine(ctx, id, edit...)
	return result[Machine](&generated.OpGetMachine, resp, err)
}

// List gives one page of the machines, newest first unless params.OrderBy says otherwise.
func (s *Machines) List(ctx context.Context, params ListMachinesParams, edit ...RequestEditor) (*MachineList, error) {
	resp, err := s.c.api.ListMachines(ctx, &params, edit...)
	return result[MachineList](&generated.OpListMachines, resp, err)
}

// All walks the machines, page by page, params.Limit at a time (100 by default) from params.Offset on. After an error
// it ends.
func (s *Machines) All(ctx context.Context, params ListMachinesParams, edit ...RequestEditor) iter.Seq2[*Machine, error] {
	return all(ctx, params.Limit, params.Offset, func(limit, offset *int64) ([]Machine, int64, error) {
		params := params
		params.Limit, params.Offset = limit, offset
		page, err := s.List(ctx, params, edit...)
		if err != nil {
			return nil, 0, err
		}
		return page.Data, page.TotalCount, nil
	})
}

// Update changes the fields of a machine that params has.
func (s *Machines) Update(ctx context.Context, id string, params UpdateMachineParams, edit ...RequestEditor) (*Machine, error) {
	if err := checkID(&generated.OpUpdateMachine, "machine_id", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.UpdateMachine(ctx, id, params, edit...)
	return result[Machine](&generated.OpUpdateMachine, resp, err)
}

// Delete deletes a machine. Its secret key stops working.
func (s *Machines) Delete(ctx context.Context, id string, edit ...RequestEditor) (*DeletedMachine, error) {
	if err := checkID(&generated.OpDeleteMachine, "machine_id", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.DeleteMachine(ctx, id, edit...)
	return result[DeletedMachine](&generated.OpDeleteMachine, resp, err)
}

// SecretKey gives the secret key of a machine.
func (s *Machines) SecretKey(ctx context.Context, id string, edit ...RequestEditor) (Secret, error) {
	if err := checkID(&generated.OpGetMachineSecretKey, "machine_id", id); err != nil {
		return "", err
	}
	resp, err := s.c.api.GetMachineSecretKey(ctx, id, edit...)
	return secretOf(result[generated.MachineSecretKey](&generated.OpGetMachineSecretKey, resp, err))
}

// RotateSecretKey gives a machine a new secret key, and the result is that key. The one before stays valid for
// params.PreviousTokenTTL seconds, at most 28,800; 0 ends it at once. It is not sent again where it may have arrived.
func (s *Machines) RotateSecretKey(ctx context.Context, id string, params RotateMachineSecretKeyParams, edit ...RequestEditor) (Secret, error) {
	if err := checkID(&generated.OpRotateMachineSecretKey, "machine_id", id); err != nil {
		return "", err
	}
	resp, err := s.c.api.RotateMachineSecretKey(ctx, id, params, edit...)
	return secretOf(result[generated.MachineSecretKey](&generated.OpRotateMachineSecretKey, resp, err))
}

func secretOf(key *generated.MachineSecretKey, err error) (Secret, error) {
	if err != nil {
		return "", err
	}
	return key.Secret, nil
}

// AddScope lets the machine id call the machine toID; at most 150 for each. Only tokens minted from then on have it.
func (s *Machines) AddScope(ctx context.Context, id, toID string, edit ...RequestEditor) (*MachineScope, error) {
	if err := checkID(&generated.OpCreateMachineScope, "machine_id", id); err != nil {
		return nil, err
	}
	if err := checkID(&generated.OpCreateMachineScope, "to_machine_id", toID); err != nil {
		return nil, err
	}
	resp, err := s.c.api.CreateMachineScope(ctx, id, generated.CreateMachineScopeRequest{ToMachineID: toID}, edit...)
	return result[MachineScope](&generated.OpCreateMachineScope, resp, err)
}

// RemoveScope no longer lets the machine id call the machine toID. Tokens that exist already keep the scope.
func (s *Machines) RemoveScope(ctx context.Context, id, toID string, edit ...RequestEditor) (*DeletedMachineScope, error) {
	if err := checkID(&generated.OpDeleteMachineScope, "machine_id", id); err != nil {
		return nil, err
	}
	if err := checkID(&generated.OpDeleteMachineScope, "other_machine_id", toID); err != nil {
		return nil, err
	}
	resp, err := s.c.api.DeleteMachineScope(ctx, id, toID, edit...)
	return result[DeletedMachineScope](&generated.OpDeleteMachineScope, resp, err)
}
