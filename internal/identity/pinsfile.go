package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"lanchat/internal/files"
)

const (
	pinsVersion = 1
	// maxPinsFile is above what MaxPins entries of the greatest size take, with JSON's
	// escapes (six bytes for one at worst).
	maxPinsFile = 16 << 20
)

// pinsFile is the file's form: JSON, one object. A version that adds or changes a
// field gets a new number, so that an older program refuses the file instead of
// dropping what it does not know.
type pinsFile struct {
	Version int   `json:"version"`
	Pins    []Pin `json:"pins"`
}

// read gives all entries. A file that does not exist has none.
func (p *Pins) read() ([]Pin, error) {
	data, err := files.Read(p.path, maxPinsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("identity: cannot read the known servers: %w", err)
	}
	pins, err := decodePins(data)
	if err != nil {
		return nil, fmt.Errorf("identity: the list of known servers, %s, is damaged: %w: put a copy of it back, or move it "+
			"away to start anew (every server's key will then be believed at the next meeting, so compare the words)", p.path, err)
	}
	return pins, nil
}

func decodePins(data []byte) ([]Pin, error) {
	var f pinsFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		// A later version may have other fields, which would be the error seen first.
		var v struct{ Version int }
		if json.Unmarshal(data, &v) == nil && v.Version > pinsVersion {
			return nil, newer(v.Version)
		}
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind its end")
	}
	if f.Version > pinsVersion {
		return nil, newer(f.Version)
	}
	if f.Version != pinsVersion {
		return nil, fmt.Errorf("version %d does not exist", f.Version)
	}
	if len(f.Pins) > MaxPins {
		return nil, fmt.Errorf("%d entries, more than %d", len(f.Pins), MaxPins)
	}
	seen := make(map[string]bool, len(f.Pins))
	for i, pin := range f.Pins {
		switch {
		case checkName(pin.Name) != nil:
			return nil, fmt.Errorf("entry %d has no usable name", i+1)
		case pin.Key == Fingerprint{}:
			return nil, fmt.Errorf("entry %d, %q, has no key", i+1, pin.Name)
		case len(pin.Addrs) > MaxAddrs:
			return nil, fmt.Errorf("entry %d, %q, has %d addresses", i+1, pin.Name, len(pin.Addrs))
		case seen[fold(pin.Name)]:
			return nil, fmt.Errorf("%q stands in it twice", pin.Name)
		}
		seen[fold(pin.Name)] = true
	}
	return f.Pins, nil
}

func newer(version int) error {
	return fmt.Errorf("it is of a later version of this program (%d), so use that one", version)
}

// update reads the entries, has them changed, and writes them, all under the lock.
// If change fails, the file stays as it is.
func (p *Pins) update(change func([]Pin) ([]Pin, error)) error {
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return fmt.Errorf("identity: no place for the list of known servers: %w", err)
	}
	unlock, err := files.Lock(p.path)
	if err != nil {
		return fmt.Errorf("identity: cannot change the list of known servers: %w", err)
	}
	defer unlock()
	pins, err := p.read()
	if err != nil {
		return err
	}
	if pins, err = change(pins); err != nil {
		return err
	}
	if len(pins) > MaxPins {
		// The new one is the last, and stays even if the clock was set back.
		oldest := slices.MinFunc(pins[:MaxPins], func(a, b Pin) int { return a.Last.Compare(b.Last) })
		i := find(pins, oldest.Name)
		pins = slices.Delete(pins, i, i+1)
	}
	data, err := json.MarshalIndent(pinsFile{Version: pinsVersion, Pins: pins}, "", " ")
	if err != nil {
		return fmt.Errorf("identity: cannot write the list of known servers: %w", err)
	}
	if err := files.Replace(p.path, append(data, '\n')); err != nil {
		return fmt.Errorf("identity: cannot write the list of known servers: %w", err)
	}
	return nil
}
