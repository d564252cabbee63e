//go:build race

package server

// raced is true under the race detector, which makes everything several times slower.
const raced = true
