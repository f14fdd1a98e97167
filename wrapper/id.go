package wrapper

import "github.com/m2mauth/clerk-m2m/generated"

// maxID is far longer than any id of Clerk's.
const maxID = 128

// checkID refuses what cannot be an id by its shape. It does not ask for the exact pattern of the spec, so that ids
// of a new kind are not refused by an old client.
func checkID(op *generated.Operation, param, id string) error {
	reason := ""
	switch {
	case id == "":
		reason = "is empty"
	case len(id) > maxID:
		reason = "is too long"
	default:
		for i := range len(id) {
			if c := id[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
				reason = "has a character that no id has"
				break
			}
		}
	}
	if reason == "" {
		return nil
	}
	return &IDError{Operation: op.ID, Param: param, Reason: reason}
}
