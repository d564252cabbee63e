package ops

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// said is what a body asks for.
type said struct {
	text, as, id string
	action       bool
}

// fromText takes the body for the text.
func fromText(body []byte) (said, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if i := invalidAt(body); i >= 0 {
		return said{}, malformed("the text is no UTF-8, at byte %d", i+1)
	}
	return said{text: trimEnd(string(body))}, nil
}

// fromForm is for what curl -d sends: a form by its type, and seldom one.
func fromForm(body []byte) (said, error) {
	rest, isPayload := bytes.CutPrefix(body, []byte("payload="))
	if !isPayload {
		return fromText(body)
	}
	rest, _, _ = bytes.Cut(rest, []byte("&"))
	text, err := url.QueryUnescape(string(rest))
	if err != nil {
		return said{}, malformed("payload= is not encoded as a form is: %v; curl --data-urlencode does it", err)
	}
	return fromJSON([]byte(text))
}

// message is the JSON that is understood.
type message struct {
	Text        string       `json:"text"`
	As          string       `json:"as"`
	Username    string       `json:"username"`
	Kind        string       `json:"kind"`
	ID          string       `json:"id"`
	Attachments []attachment `json:"attachments"`
}

// attachment is what Slack's format has of what we can show.
type attachment struct {
	Pretext, Title, Text, Fallback string
}

func fromJSON(body []byte) (said, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if i := invalidAt(body); i >= 0 {
		line, column := position(body, i)
		return said{}, malformed("this is no UTF-8, at line %d, column %d", line, column)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return said{}, malformed(`this is no JSON: there is nothing; {"text":"hello"} is what is wanted`)
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return said{}, jsonProblem(body, err)
	}
	if m.Kind != "" && m.Kind != "text" && m.Kind != "action" {
		return said{}, malformed("kind is %.50q; it can be text or action", m.Kind)
	}
	text := m.Text
	if strings.TrimSpace(text) == "" {
		text = attached(m.Attachments)
	}
	as := m.As
	if as == "" {
		as = m.Username
	}
	return said{text: trimEnd(text), as: strings.Join(strings.Fields(as), "-"), id: m.ID, action: m.Kind == "action"}, nil
}

// attached is the text of attachments, for senders that put all of it there.
func attached(all []attachment) string {
	var lines []string
	for _, a := range all {
		parts := []string{a.Pretext, a.Title, a.Text}
		if a.Pretext+a.Title+a.Text == "" {
			parts = []string{a.Fallback}
		}
		for _, p := range parts {
			if p = strings.TrimSpace(p); p != "" {
				lines = append(lines, p)
			}
		}
	}
	return strings.Join(lines, "\n")
}

func jsonProblem(body []byte, err error) error {
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
		line, column := position(body, max(int(bad.Offset)-1, 0))
		return malformed("this is no JSON: line %d, column %d: %v", line, column, bad)
	}
	if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		line, column := position(body, max(int(bad.Offset)-1, 0))
		what := bad.Field
		if what == "" {
			what = "the whole"
		}
		return malformed(`line %d, column %d: %s is of the type %s; {"text":"hello"} is what is wanted`, line, column, what, bad.Value)
	}
	return malformed("this is no JSON: %v", err)
}

// position is where the byte at an offset stands, for people: both from 1, columns
// in characters.
func position(body []byte, offset int) (line, column int) {
	before := body[:min(offset, len(body))]
	begin := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[begin:]) + 1
}

// invalidAt is where the first byte stands that is no UTF-8, or -1.
func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func trimEnd(text string) string { return strings.TrimRight(text, "\r\n") }

func malformed(format string, args ...any) *problem {
	return wrong(http.StatusBadRequest, "malformed", format, args...)
}
