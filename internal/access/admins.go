package access

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"lanchat/protocol"
)

// MaxAdmins is how many admins a list may have.
const MaxAdmins = 1_000

// ParseAdmins reads a list of admins: a user id or the fingerprint of a key on each line,
// as chat id prints them. What stands behind a # is a comment. name is what to call the
// list in an error, which says the line.
func ParseAdmins(name string, from io.Reader) (users []protocol.UserID, err error) {
	in := bufio.NewScanner(from)
	for n := 1; in.Scan(); n++ {
		text, _, _ := strings.Cut(in.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		user, err := parseAdmin(strings.ToLower(text))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %.80q is neither a user id (26 letters and digits) nor a key's fingerprint (64 hexadecimal digits); chat id prints both", name, n, text)
		}
		if users = append(users, user); len(users) > MaxAdmins {
			return nil, fmt.Errorf("%s:%d: more than %d admins", name, n, MaxAdmins)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return users, nil
}

func parseAdmin(text string) (user protocol.UserID, err error) {
	if len(text) != 64 {
		return protocol.ParseUserID(text)
	}
	raw, err := hex.DecodeString(text)
	copy(user[:], raw) // a user is the first half of the fingerprint
	return user, err
}
