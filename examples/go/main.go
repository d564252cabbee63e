// A bot that rolls dice and tells the time: go run ./examples/go SERVER [ROOM]
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"lanchat/discovery"
	"lanchat/protocol"
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

// bot is what the bot keeps in its file.
type bot struct {
	Key  ed25519.PrivateKey       // its own: who it is
	Pin  *[discovery.KeySize]byte // the SHA-256 of the server's certificate, from the first meeting on
	Room protocol.Follower        // how far all is answered
}

// serve finds the server by its name, holds it to its key, and answers until the connection
// ends. The server is no more than a hint before TLS has proved that it has the key.
func (b *bot) serve(server, file string) error {
	found, err := discovery.Lookup(context.Background(), discovery.Config{}, discovery.Want{Name: server, Key: b.Pin})
	if err != nil && len(found) > 0 {
		return fmt.Errorf("REFUSED: %w: %x", err, found[0].Key)
	} else if err != nil {
		return err
	}
	own, err := protocol.SelfSigned(b.Key, nick)
	if err != nil {
		return err
	}
	config := protocol.ClientTLS(&own, protocol.Pinned(found[0].Key, errors.New("REFUSED: this is not the key that was announced")))
	conn, welcome, err := protocol.Dial(context.Background(), found[0].Addr.String(), config, &protocol.Hello{Nick: nick, Software: "bot.go", Bot: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	b.Pin = &found[0].Key
	err = b.Room.Begin(conn, welcome)
	for err == nil {
		var entries []protocol.Entry
		entries, err = b.Room.Next(conn)
		for _, e := range entries {
			if text := answer(e.Text); text != "" && !e.Bot && e.Kind == protocol.KindText {
				err = errors.Join(err, b.Room.Reply(conn, &e, nick, text))
			}
		}
		data, _ := json.Marshal(b) // kept in one step: the file is the old one or the new one
		err = errors.Join(err, os.WriteFile(file+".new", data, 0o600), os.Rename(file+".new", file))
	}
	return err
}

func main() {
	log.SetPrefix(nick + ": ")
	if len(os.Args) < 2 {
		log.Fatal("whom to serve? go run ./examples/go SERVER [ROOM]")
	}
	server, room := os.Args[1], append(os.Args, protocol.DefaultRoom)[2]
	file := nick + "." + strings.ToLower(strings.ReplaceAll(server, "/", "_")) + "." + room + ".json"
	_, key, _ := ed25519.GenerateKey(nil)
	b := bot{Key: key, Room: protocol.Follower{Room: room}}
	if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &b) != nil {
		log.Fatalf("%s is damaged: move it away", file)
	}
	for pause := time.Second / 4; ; time.Sleep(pause) {
		begin := time.Now()
		log.Print(b.serve(server, file))
		if b.Pin == nil {
			os.Exit(1) // one that knows its server waits for it
		}
		pause = max(time.Second/2, min(2*pause, 30*time.Second)-time.Since(begin).Truncate(time.Minute)) // anew after a minute
	}
}
