package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

func (a *app) machines() *cobra.Command {
	cmd := &cobra.Command{Use: "machines", Short: "Manage machines, their scopes and secret keys"}
	scope := &cobra.Command{Use: "scope", Short: "Say which machines a machine may call"}
	scope.AddCommand(
		a.machinesCall("add MACHINE_ID TO_MACHINE_ID", "Let a machine call another; tokens minted from then on have it", 2,
			func(cmd *cobra.Command, c *wrapper.Client, args []string) (any, string, error) {
				s, err := c.Machines.AddScope(cmd.Context(), args[0], args[1])
				return s, args[0] + " may call " + args[1], err
			}),
		a.machinesCall("remove MACHINE_ID TO_MACHINE_ID", "No longer let a machine call another; existing tokens keep it", 2,
			func(cmd *cobra.Command, c *wrapper.Client, args []string) (any, string, error) {
				s, err := c.Machines.RemoveScope(cmd.Context(), args[0], args[1])
				return s, args[0] + " may no longer call " + args[1], err
			}),
	)
	cmd.AddCommand(a.machinesList(), a.machinesCreate(), a.machinesGet(), a.machinesRotate(), scope,
		a.machinesCall("delete MACHINE_ID", "Delete a machine; its secret key stops working", 1,
			func(cmd *cobra.Command, c *wrapper.Client, args []string) (any, string, error) {
				d, err := c.Machines.Delete(cmd.Context(), args[0])
				return d, "deleted " + args[0], err
			}),
		a.machinesCall("secret MACHINE_ID", "Print the secret key of a machine", 1,
			func(cmd *cobra.Command, c *wrapper.Client, args []string) (any, string, error) {
				key, err := c.Machines.SecretKey(cmd.Context(), args[0])
				return map[string]string{"secret": string(key)}, string(key), err
			}),
	)
	return cmd
}

// machinesCall is a command that makes one call and prints its result, as JSON or as a line.
func (a *app) machinesCall(use, short string, args int, call func(*cobra.Command, *wrapper.Client, []string) (any, string, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			value, line, err := call(cmd, client, args)
			switch {
			case err != nil:
				return err
			case a.json:
				return json.NewEncoder(cmd.OutOrStdout()).Encode(value)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), line)
			return err
		},
	}
}

var machineHeader = []string{"ID", "NAME", "MAY CALL", "TOKEN TTL", "CREATED"}

func machineRow(m *wrapper.Machine) []string {
	scopes := make([]string, len(m.ScopedMachines))
	for i, s := range m.ScopedMachines {
		scopes[i] = s.ID
	}
	ttl := "-"
	if m.DefaultTokenTTL != nil {
		ttl = (time.Duration(*m.DefaultTokenTTL) * time.Second).String()
	}
	return []string{m.ID, m.Name, orDash(strings.Join(scopes, " ")), ttl, at(&m.CreatedAt)}
}

func (a *app) machinesList() *cobra.Command {
	var query, order string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the machines of the instance, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			params := wrapper.ListMachinesParams{}
			if query != "" {
				params.Query = &query
			}
			if order != "" {
				params.OrderBy = &order
			}
			o := a.out(cmd, machineHeader...)
			for m, err := range client.Machines.All(cmd.Context(), params) {
				if err != nil {
					return errors.Join(err, o.done())
				}
				if err := o.add(m, machineRow(m)...); err != nil {
					return err
				}
			}
			return o.done()
		},
	}
	cmd.Flags().StringVar(&query, "query", "", "keep the machines with this id, or this text in their name")
	cmd.Flags().StringVar(&order, "order-by", "", "name or created_at, with - before it for descending")
	return cmd
}

func (a *app) machinesGet() *cobra.Command {
	return &cobra.Command{
		Use:   "get MACHINE_ID",
		Short: "Show one machine",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			m, err := client.Machines.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printOne(cmd, machineHeader, m, machineRow(m))
		},
	}
}

func (a *app) machinesCreate() *cobra.Command {
	var scopes []string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a machine and print its secret key",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params := wrapper.CreateMachineParams{Name: args[0], ScopedMachines: scopes}
			var err error
			if params.DefaultTokenTTL, err = seconds(cmd, "token-ttl", ttl); err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			m, err := client.Machines.Create(cmd.Context(), params)
			if err != nil {
				return err
			}
			return a.printOne(cmd, append(slices.Clone(machineHeader), "SECRET KEY"), m, append(machineRow(m), string(m.SecretKey)))
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "a machine that it may call; may be given more than once")
	cmd.Flags().DurationVar(&ttl, "token-ttl", 0, "the lifetime of a token that asks for none, such as 1h")
	return cmd
}

func (a *app) machinesRotate() *cobra.Command {
	var grace time.Duration
	cmd := a.machinesCall("rotate MACHINE_ID", "Give a machine a new secret key and print it", 1,
		func(cmd *cobra.Command, c *wrapper.Client, args []string) (any, string, error) {
			if grace%time.Second != 0 {
				return nil, "", fmt.Errorf("--keep-old %s is not a whole number of seconds", grace)
			}
			key, err := c.Machines.RotateSecretKey(cmd.Context(), args[0],
				wrapper.RotateMachineSecretKeyParams{PreviousTokenTTL: int64(grace / time.Second)})
			return map[string]string{"secret": string(key)}, string(key), err
		})
	cmd.Flags().DurationVar(&grace, "keep-old", time.Hour, "how long the old key stays valid, at most 8h; 0 ends it at once")
	return cmd
}
