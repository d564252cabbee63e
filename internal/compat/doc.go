// Package compat holds the programs of this code together with those of an earlier
// build, and opens what that build has written. It has tests only.
//
// The earlier build is named by a flag, with a directory that has its programs chat and
// chatd and its golden.txt:
//
//	go test ./internal/compat -old DIR
//
// scripts/compat makes that directory from the history, and runs the tests; without the
// flag they skip. What is held:
//
//   - the frames of the earlier build's golden table stand in today's, byte for byte,
//     in the same order;
//   - people with programs of both builds talk at a server of either one, with everything
//     that both of them have;
//   - a data directory that the earlier chatd and chat have filled is opened by today's
//     chatd: every entry, rule, nick, read marker, invitation and webhook token is there,
//     and a post that is sent again gets the acknowledgement that it had;
//   - a config directory of the earlier chat is opened by today's: the key, the pins, the
//     settings and the unsent posts.
//
// What cannot be held by this: how a screen looks, other systems than the one that the
// test runs on, and a data directory that was opened by today's chatd and is given back
// to the earlier one, which nobody promises.
package compat
