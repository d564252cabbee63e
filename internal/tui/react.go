package tui

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// usual are the reactions that a digit gives, 1 to 9 and 0.
var usual = []string{"👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀", "✅", "👎"}

// reactKey is for a reaction that is being picked: a digit takes one of the usual
// ones, anything else is the beginning of a name or an emoji.
func (c *choosing) reactKey(ev *tcell.EventKey, it *client.Item) {
	switch ev.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC:
		c.react = false
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		_, n := utf8.DecodeLastRuneInString(c.typed)
		c.typed = c.typed[:len(c.typed)-n]
	case tcell.KeyEnter:
		c.sendReaction(it, c.typed)
	case tcell.KeyRune:
		r := ev.Rune()
		if n := int(r - '1'); c.typed == "" && r >= '0' && r <= '9' {
			c.sendReaction(it, usual[(n+10)%10])
			return
		}
		if len(c.typed) < 2*protocol.MaxReaction {
			c.typed += string(r)
		}
	}
}

// sendReaction gives a reaction, by its emoji or its name; the same once more takes
// it back.
func (c *choosing) sendReaction(it *client.Item, text string) {
	text = strings.TrimSpace(safetext.Line(text))
	if ascii(text) {
		name := strings.ToLower(strings.Trim(text, ":"))
		if text = emojiNamed(name); text == "" {
			if name != "" {
				c.u.flash(fmt.Sprintf("There is no emoji called %q", name))
			}
			return
		}
	}
	if len(text) > protocol.MaxReaction {
		c.u.flash("That is too long for a reaction")
		return
	}
	c.react = false
	c.about(it, protocol.KindReaction, text)
}

func (c *choosing) reactHint(columns int) string {
	if c.typed != "" {
		return fit("React with "+c.typed+"▏ Enter gives it, Esc does not", columns)
	}
	var b strings.Builder
	for i, r := range usual {
		part := fmt.Sprintf("%d %s  ", (i+1)%10, r)
		if width(b.String())+width(part) > columns {
			break
		}
		b.WriteString(part)
	}
	if more := "or :name: and Enter"; width(b.String())+width(more) <= columns {
		b.WriteString(more)
	}
	return strings.TrimSpace(b.String())
}
