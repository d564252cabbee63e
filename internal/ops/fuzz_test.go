package ops

import (
	"testing"
	"unicode/utf8"
)

// Whatever a build system sends is a text, or an error that says what is wrong.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"text":"x","as":"ci","kind":"action","attachments":[{"pretext":"a","title":"b"}]}`))
	f.Add([]byte("payload=%7B%22text%22%3A%22x%22%7D&x=y"))
	f.Add([]byte("\xef\xbb\xbfx\x1b[2J\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, parse := range map[string]func([]byte) (said, error){"text": fromText, "form": fromForm, "json": fromJSON} {
			said, err := parse(body)
			if err != nil {
				if err.Error() == "" || !utf8.ValidString(err.Error()) {
					t.Fatalf("%s: %q: the error is %q", name, body, err.Error())
				}
				continue
			}
			if !utf8.ValidString(said.text) || len(said.text) > 3*len(body) || len(said.as) > 3*len(body) {
				t.Fatalf("%s: %q became %q as %q", name, body, said.text, said.as)
			}
		}
	})
}
