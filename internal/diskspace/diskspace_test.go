package diskspace

import (
	"path/filepath"
	"testing"
)

func TestFloor(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct{ total, want int64 }{
		{100 * gib, 5 * gib}, {20 * gib, gib}, {15 * gib, gib}, {10 * gib, gib}, {5 * gib, gib / 2}, {100, 10}, {0, 0},
	} {
		if got := (Space{Total: tt.total}).Floor(); got != tt.want {
			t.Errorf("of %d bytes %d stay free, not %d", tt.total, got, tt.want)
		}
	}
}

func TestOf(t *testing.T) {
	s, err := Of(t.TempDir())
	if err != nil || s.Total <= 0 || s.Free < 0 || s.Free > s.Total {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := Of(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Errorf("of a directory that is not there: %+v", s)
	}
}
