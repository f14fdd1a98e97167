package m2mtest

import "regexp"

// The forms that ids have in replies of the API.
var (
	machineIDShape     = regexp.MustCompile(`^mch_\w{27}$`)
	userIDShape        = regexp.MustCompile(`^user_\w{27}$`)
	apiKeySubjectShape = regexp.MustCompile(`^(user|org|mch)_\w{27}$`)
	m2mTokenIDShape    = regexp.MustCompile(`^mt_[0-9A-Fa-f]{32}$`)
	oauthTokenIDShape  = regexp.MustCompile(`^oat_[0-9A-Fa-f]{32}$`)
)

// pathIDShape is what ids look like in paths, and credentials do not.
var pathIDShape = regexp.MustCompile(`^((mch|user|org)_\w{27}|(mt|ak|api_key)_[0-9a-f]{32})$`)
