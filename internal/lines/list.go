package lines

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// Who prints the people in a room. The client must join none.
func Who(ctx context.Context, e Engine, out io.Writer, room string, asJSON bool) error {
	var after protocol.UserID
	for {
		m, err := ask[*protocol.Who](ctx, e, &protocol.Who{Room: room, After: after})
		if err != nil {
			return err
		}
		for _, p := range m.People {
			after = p.User
			if asJSON {
				one := map[string]any{"nick": safetext.Line(p.Nick), "user": p.User.String(), "verified": !p.Guest, "bot": p.Bot}
				if p.Role != protocol.RoleNone {
					one["role"] = safetext.Line(string(p.Role))
				}
				err = printJSON(out, one)
			} else {
				name := client.ShownNick(safetext.Line(p.Nick), p.Guest)
				if p.Role != protocol.RoleNone {
					name += " (" + safetext.Line(string(p.Role)) + ")"
				}
				_, err = fmt.Fprintln(out, name)
			}
			if err != nil {
				return err
			}
		}
		if !m.More || len(m.People) == 0 {
			return nil
		}
	}
}

// Rooms prints the rooms of the server. The client must join none.
func Rooms(ctx context.Context, e Engine, out io.Writer, asJSON bool) error {
	after := ""
	for {
		m, err := ask[*protocol.Rooms](ctx, e, &protocol.Rooms{After: after})
		if err != nil {
			return err
		}
		for _, r := range m.Rooms {
			after = r.Room
			if asJSON {
				one := map[string]any{"room": safetext.Line(r.Room), "topic": safetext.Line(r.Topic), "people": r.Count, "head": r.Head}
				if r.Private {
					one["private"] = true
				}
				err = printJSON(out, one)
			} else {
				about := safetext.Line(r.Topic)
				if r.Private {
					about = strings.TrimSpace("private  " + about)
				}
				_, err = fmt.Fprintf(out, "%-20s %3d here %6d entries  %s\n", safetext.Line(r.Room), r.Count, r.Head, about)
			}
			if err != nil {
				return err
			}
		}
		if !m.More || len(m.Rooms) == 0 {
			return nil
		}
	}
}

// Search prints what is found, the newest first, at most limit entries. The
// client must join no room.
func Search(ctx context.Context, e Engine, out io.Writer, query, room string, limit int, asJSON bool) error {
	p := &printer{out: out, json: asJSON, loc: time.Local, dates: true}
	request := protocol.Search{Query: query, Room: room}
	for {
		request.Limit = uint32(limit)
		next := request
		m, err := ask[*protocol.Found](ctx, e, &next)
		if err != nil {
			return err
		}
		for i := range m.Entries {
			found := &m.Entries[i]
			title := "#" + found.Room
			if _, _, direct := protocol.ParseDirectRoom(found.Room); direct {
				title = "(direct)"
			}
			if err := p.entry(title, found); err != nil {
				return err
			}
			request.Before = uint64(found.At)
		}
		if limit -= len(m.Entries); !m.More || limit <= 0 || len(m.Entries) == 0 {
			return nil
		}
	}
}

// Invite asks for an invitation, and returns it with the server that it is to.
func Invite(ctx context.Context, e Engine, request protocol.Invite) (answer *protocol.Invite, server client.Server, err error) {
	answer, err = askOf[*protocol.Invite](ctx, e, &request, func(s client.Server) { server = s })
	return answer, server, err
}

func printJSON(out io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return err
}

// ask sends a request as soon as there is a connection, again over each new
// one, and returns the answer.
func ask[M protocol.Message](ctx context.Context, e Engine, request protocol.Message) (answer M, err error) {
	return askOf[M](ctx, e, request, func(client.Server) {})
}

// askOf is ask, and tells up which server it is.
func askOf[M protocol.Message](ctx context.Context, e Engine, request protocol.Message, up func(client.Server)) (answer M, err error) {
	ref, err := e.Request(request)
	if err != nil && err != client.ErrOffline {
		return answer, err
	}
	var gaveUp error
	for {
		select {
		case ev, ok := <-e.Events():
			if !ok {
				return answer, gaveUp
			}
			switch ev := ev.(type) {
			case client.GaveUp:
				gaveUp = ev.Err
			case client.WentUp:
				up(ev.Server)
				if ref, err = e.Request(request); err != nil && err != client.ErrOffline {
					return answer, err
				}
			case client.Received:
				if m, ok := ev.Message.(M); ok && refOf(ev.Message) == ref {
					return m, nil
				}
				if m, ok := ev.Message.(*protocol.Error); ok && m.Ref == ref {
					return answer, m
				}
			}
		case <-ctx.Done():
			return answer, context.Cause(ctx)
		}
	}
}

func refOf(m protocol.Message) uint32 {
	switch m := m.(type) {
	case *protocol.Who:
		return m.Ref
	case *protocol.Rooms:
		return m.Ref
	case *protocol.Found:
		return m.Ref
	case *protocol.Page:
		return m.Ref
	case *protocol.Invite:
		return m.Ref
	}
	return 0
}
