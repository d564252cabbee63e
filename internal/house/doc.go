// Package house holds the repository's rules, as tests: who may import whom, what
// every package says about itself, and what stands nowhere in the tree. It has no
// code for anybody to use; `go test ./...` runs it like every other test.
//
// A rule is a function from a file tree to the problems found in it. It is run on
// the repository, where there must be none, and on small trees made for the test,
// each of which breaks one rule once: a rule that cannot fail is no rule. The rules
// read files and nothing else: they build nothing and need no network, and so they
// see the files of every operating system at once.
//
// Who needs an exception writes it into the tables of imports_test.go and
// text_test.go, with the reason. A table's entry that has become needless is a
// problem too, where the rule can tell.
package house
