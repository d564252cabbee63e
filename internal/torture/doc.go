// Package torture holds lanchat to its promise: an acknowledged message is never
// lost, never doubled and never reordered. It has tests only.
//
// Random clients post, join and leave rooms and are cut off, while the server is
// killed without warning and started again on the same files and the same port.
// Each client keeps a [record] of what it has said, which acknowledgements it has
// got and what it was told, in which order. In the end all records are compared
// with the log and with each other:
//
//   - every acknowledged line is in the log, under the number acknowledged;
//   - no id stands in the log twice, and no entry is told twice;
//   - everybody has been told the same entry under the same number;
//   - a sender's lines stand in the order in which they were said;
//   - what a client was told of a room has no gap but those that the server has
//     announced with skipped.
//
// Lines that were not acknowledged when a connection broke are sent again over the
// next one, under the same ids.
//
// # Running it
//
//	go test ./internal/torture                             the short run, some 10 seconds
//	go test ./internal/torture -timeout 20m -seconds 600   a long one
//	go test ./internal/torture -timeout 20m -kills 200     as long as that many kills take
//	go test ./internal/torture -seed 4711                  the decisions of an earlier run again
//	go test ./internal/torture -timeout 20m -long          10,000 lines through chat send, two minutes of a suspended chat tail
//
// The package stands before the flags. -v prints the summary. -posts bounds how much is said in all; without it, 1,000
// lines for each second or kill. The decisions of every client, and of who kills the server,
// come from the seed alone. Their moments do not: the machine has its own clock, so
// the same seed gives the same kind of run and not the same run.
//
// # A check that can fail
//
// The target is an interface: the real chatd as a process of its own, or the
// engine inside the test over a store that breaks a promise on purpose. For each
// promise there is a store that breaks it, and a test that the run reports it.
package torture
