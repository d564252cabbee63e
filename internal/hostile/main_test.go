package hostile

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"lanchat/internal/tied"
)

var flags struct {
	seconds int
	siege   int
	rate    int
	only    string
	chatd   string
	attack  string
	victim  string
}

func TestMain(m *testing.M) {
	flag.IntVar(&flags.seconds, "seconds", 0, "measure the attack for so long, and judge how long messages took; 0: 3 seconds, and that is only told")
	flag.IntVar(&flags.siege, "siege", 0, "leave as much behind as attackers can in so many seconds, and have an admin put the server right; 0: not at all")
	flag.IntVar(&flags.rate, "rate", 20, "messages a second of all healthy people together")
	flag.StringVar(&flags.only, "only", "", "only these attacks, with commas between")
	flag.StringVar(&flags.chatd, "chatd", "", "attack this program, as to compare two; without it, the one of this code")
	flag.StringVar(&flags.attack, "attack", "", "be the attackers of the server at this address; the test gives this to its own child")
	flag.StringVar(&flags.victim, "victim", "", "the nick to steal")
	flag.Parse()
	if flags.attack != "" {
		if err := attack(flags.attack, flags.victim); err != nil {
			fmt.Fprintln(os.Stderr, "hostile:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	tied.RemovePrograms()
	os.Exit(code)
}
