package client

import "lanchat/protocol"

// outbox holds the posts that are neither acknowledged nor refused, in the
// order in which they were said. The first sent of them are on their way over
// the present connection.
type outbox struct {
	posts []protocol.Post
	bytes int
	sent  int
}

// add appends a post, if there is place.
func (o *outbox) add(p protocol.Post) bool {
	if len(o.posts) >= outboxPosts || o.bytes+len(p.Text) > outboxBytes && len(o.posts) > 0 {
		return false
	}
	o.posts = append(o.posts, p)
	o.bytes += len(p.Text)
	return true
}

// remove takes out the post that was answered: nearly always the first.
func (o *outbox) remove(id protocol.ID) bool {
	for i := range o.posts {
		if o.posts[i].ID != id {
			continue
		}
		o.bytes -= len(o.posts[i].Text)
		if i < o.sent {
			o.sent--
		}
		if i == 0 {
			o.posts[0] = protocol.Post{}
			o.posts = o.posts[1:]
		} else {
			o.posts = append(o.posts[:i], o.posts[i+1:]...)
		}
		return true
	}
	return false
}

// next returns the posts to send now, so that at most window are on their way.
func (o *outbox) next(window int) []protocol.Post {
	n := min(len(o.posts), max(window, o.sent))
	out := o.posts[o.sent:n]
	o.sent = n
	return out
}

// rewind forgets what was sent: the connection is gone.
func (o *outbox) rewind() { o.sent = 0 }

// restore puts posts of an earlier process before all others.
func (o *outbox) restore(kept []protocol.Post) {
	o.posts = append(kept[:len(kept):len(kept)], o.posts...)
	for _, p := range kept {
		o.bytes += len(p.Text)
	}
}
