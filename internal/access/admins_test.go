package access

import (
	"slices"
	"strings"
	"testing"

	"lanchat/protocol"
)

// A list of admins has user ids and fingerprints; a mistake is told with its line.
func TestParseAdmins(t *testing.T) {
	id := protocol.UserID{1, 2, 3}
	fingerprint := "0102030000000000000000000000000000" + strings.Repeat("ab", 15)
	users, err := ParseAdmins("admins", strings.NewReader("# who runs this\n\n "+id.String()+"  # ann\r\n"+strings.ToUpper(fingerprint)+"\n"+strings.ToUpper(id.String())))
	if want := []protocol.UserID{id, id, id}; err != nil || !slices.Equal(users, want) {
		t.Errorf("%v, %v; want %v", users, err, want)
	}
	for text, want := range map[string]string{
		"\n#\nann\n":                                  `admins:3: "ann" is neither`,
		fingerprint[:63] + "x":                        "admins:1: ",
		id.String() + "\n" + id.String() + "a":        "admins:2: ",
		strings.Repeat(id.String()+"\n", MaxAdmins+1): "admins:1001: more than 1000 admins",
	} {
		if _, err := ParseAdmins("admins", strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}
