//go:build race

package protocol

// raced is true under the race detector, which makes everything several times slower.
const raced = true
