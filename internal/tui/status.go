package tui

import (
	"fmt"
	"strings"
	"time"

	"lanchat/internal/client"
)

// drawBar draws the line between the talk and the input.
func (u *chat) drawBar(p painter) {
	p.fill(0, 0, '─', dim)
	right := p.w
	room := u.room()
	said := ""
	if u.layout.header.h == 0 && u.layout.rooms.w == 0 {
		said = u.elsewhereUnread()
	}
	if room != nil && !u.list().atEnd() && u.talkSeen() {
		n, forMe, more := u.list().news(room)
		said = below(n, forMe, more, p.w >= 30)
	}
	if u.flashed != "" && width(u.flashed)+width(said)+8 > p.w {
		said = "" // a word to the user is there for a moment, and goes first
	}
	if said != "" {
		right = p.sub(0, 0, p.w-1, 1).right(0, " "+fit(said, p.w-3)+" ", bold) - 1
	}
	left, st := "", dim
	choosing, _ := u.over.(*choosing)
	switch {
	case u.flashed != "":
		left, st = u.flashed, bold
	case u.jump != nil:
		left, st = u.jump.text(u), bold
	case choosing != nil:
		left, st = choosing.hint(right-4), plain
	case room != nil:
		left = writing(room.TypingNow(u.now()))
	}
	if left != "" && right > 4 {
		p.text(1, 0, " "+fit(left, right-4)+" ", st)
	}
}

// below says what is new below what is seen: in words where they fit.
func below(n, forMe int, more, words bool) string {
	switch {
	case n == 0:
		return "▼ Esc: to the end"
	case more:
		return fmt.Sprintf("▼ more than %d new", n)
	case forMe > 0 && !words:
		return fmt.Sprintf("▼ %d new %s%d", n, signForMe, forMe)
	case forMe > 0:
		return fmt.Sprintf("▼ %d new, %d for you", n, forMe)
	}
	return fmt.Sprintf("▼ %d new", n)
}

// writing says who is writing.
func writing(nicks []string) string {
	switch len(nicks) {
	case 0:
		return ""
	case 1:
		return nicks[0] + " is writing…"
	case 2, 3:
		n := len(nicks) - 1
		return strings.Join(nicks[:n], ", ") + " and " + nicks[n] + " are writing…"
	}
	return fmt.Sprintf("%d people are writing…", len(nicks))
}

// drawStatus says how the connection is: in words, the weightiest first, as many
// as fit.
func (u *chat) drawStatus(p painter) {
	if p.h == 0 {
		return
	}
	right := p.w
	if hint := "F1 help"; p.w >= 40 {
		right = p.right(0, hint, dim) - 2
	}
	x := 0
	for i, part := range u.status() {
		text := part.text
		if i > 0 {
			text = " · " + text
		}
		if x+width(text) > right {
			if i == 0 || part.cut && right-x > 12 {
				p.text(x, 0, fit(text, right-x), part.style)
			}
			break
		}
		x = p.text(x, 0, text, part.style)
	}
}

type part struct {
	text  string
	style ink
	cut   bool // half of it is better than nothing
}

func (u *chat) status() []part {
	link := u.st.Link
	var parts []part
	add := func(st ink, format string, args ...any) {
		parts = append(parts, part{text: fmt.Sprintf(format, args...), style: st})
	}
	switch link.Phase {
	case client.Connecting:
		add(plain, "connecting")
	case client.Up:
		if link.RoundTrip > 0 {
			add(plain, "online, %s", roundTrip(link.RoundTrip))
		} else {
			add(plain, "online")
		}
	case client.Waiting:
		if left := link.RetryAt.Sub(u.now()); left > 0 {
			add(warning, "OFFLINE, next try in %d s", int(left/time.Second)+1)
		} else {
			add(warning, "OFFLINE, trying again")
		}
	case client.Trying:
		add(warning, "OFFLINE, trying again")
	case client.Ended:
		add(warning, "OFFLINE for good")
	}
	if n := u.cfg.Engine.Waiting(); n > 0 && (link.Phase != client.Up || n > 1) {
		add(bold, "%d waiting to be sent", n)
	}
	if link.Phase != client.Up {
		if link.Err != nil {
			parts = append(parts, part{strings.ReplaceAll(link.Err.Error(), "\n", "; "), plain, true})
		}
		return parts
	}
	if !u.st.Server.Encrypted {
		add(warning, "NOT ENCRYPTED")
	}
	for i := range u.st.Reports {
		parts = append(parts, part{u.st.Report(&u.st.Reports[i]), warning, true})
	}
	if u.st.Server.Encrypted {
		add(plain, "encrypted")
	}
	missed := 0
	for _, r := range u.st.Rooms {
		missed += r.Missed
	}
	if missed > 0 {
		add(bold, "%d missed", missed)
	}
	if u.st.Me.Nick != "" {
		add(plain, "you are %s", client.ShownNick(u.st.Me.Nick, u.st.Me.Guest))
	}
	if u.st.Server.KeyWords != "" {
		add(dim, "key: %s", u.st.Server.KeyWords)
	}
	if u.st.Server.Addr != "" {
		add(dim, "%s", u.st.Server.Addr)
	}
	return parts
}

func roundTrip(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
