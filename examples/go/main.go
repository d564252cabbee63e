// A bot that rolls dice and tells the time: go run ./examples/go SERVER [ROOM]
// What it says is here, what it has answered in talk.go, whom it talks to in server.go.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

const nick = "dice-go"

// answer is what to say to a text, if anything. This is the part to make your own.
func answer(text string) string {
	var n, sides, sum int
	if _, err := fmt.Sscanf(text, "!roll %dd%d", &n, &sides); err == nil && 0 < n && n < 100 && 0 < sides && sides < 10_000 {
		for range n {
			sum += 1 + rand.IntN(sides)
		}
		return fmt.Sprintf("%d with %dd%d", sum, n, sides)
	}
	if text == "!time" {
		return time.Now().Format("Monday, 15:04")
	}
	return ""
}

func main() {
	log.SetPrefix(nick + ": ")
	name, room := os.Args[1], append(os.Args, "lobby")[2]
	s := &server{file: nick + "." + strings.ToLower(strings.ReplaceAll(name, "/", "_")) + "." + room + ".json"}
	if data, err := os.ReadFile(s.file); err == nil && json.Unmarshal(data, s) != nil {
		log.Fatalf("%s is damaged: move it away", s.file)
	}
	for pause := time.Second / 2; ; pause = min(2*pause, 30*time.Second) {
		begin := time.Now()
		c, err := s.connect(name)
		if err == nil {
			err = talk(c, room, s)
			c.Close()
		}
		log.Print(err)
		if s.Pin == nil {
			os.Exit(1) // one that knows its server waits for it
		}
		if time.Since(begin) > time.Minute {
			pause = time.Second / 2
		}
		time.Sleep(pause)
	}
}
