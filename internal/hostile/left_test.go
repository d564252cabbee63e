package hostile

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "lanchat/internal/roomlog" // brings the driver
)

// left is what a server has in its tables and on disk.
type left struct {
	rows map[string]int // by table; of facts, "facts KIND"
	disk int64          // bytes of the log's file
}

// leftIn looks at the data directory of a server.
func leftIn(t *testing.T, dir string) left {
	t.Helper()
	l := left{rows: map[string]int{}}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "log.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// As large as the file is once the write-ahead log is in it.
	if err := db.QueryRow("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&l.disk); err != nil {
		t.Fatal(err)
	}
	// Of a nick that was freed, and of a room that was removed, a mark stays; an earlier build removes none.
	there := "removed = 0"
	if _, err := db.Exec("SELECT removed FROM rooms LIMIT 0"); err != nil {
		there = "1"
	}
	rows, err := db.Query(`SELECT 'facts ' || kind, count(*) FROM facts GROUP BY kind UNION ALL SELECT 'nicks', count(*) FROM nicks WHERE used > 0
		UNION ALL SELECT 'rooms', count(*) FROM rooms WHERE name NOT LIKE 'dm:%' AND ` + there + ` UNION ALL SELECT 'direct talks', count(*) FROM rooms WHERE name LIKE 'dm:%'
		UNION ALL SELECT 'entries', count(*) FROM entries`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var n int
		if err := rows.Scan(&table, &n); err != nil {
			t.Fatal(err)
		}
		l.rows[table] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l left) String() string {
	var parts []string
	for _, table := range slices.Sorted(maps.Keys(l.rows)) {
		parts = append(parts, fmt.Sprintf("%d %s", l.rows[table], table))
	}
	return fmt.Sprintf("%s, %d KiB on disk", strings.Join(parts, ", "), l.disk>>10)
}

// makers is from how many addresses rules are made.
const makers = 9

// bounds are what all attackers together may leave, however long it takes: what one
// address may have made, times their addresses, and some for the healthy.
var bounds = map[string]int{
	"facts mute":   makers * 8 * 100,
	"facts op":     makers*8*20 + makers*8*4,
	"facts invite": makers * 8 * 50,
	"rooms":        10_000,
}

// within makes sure that the tables are within the bounds.
func (l left) within(t *testing.T) {
	t.Helper()
	for table, most := range bounds {
		if n := l.rows[table]; n > most {
			t.Errorf("the server has %d %s, more than %d", n, table, most)
		}
	}
}
