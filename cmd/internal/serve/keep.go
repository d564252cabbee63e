package serve

import (
	"errors"

	"lanchat/internal/roomlog"
)

// KeepFlag is the value of --keep.
type KeepFlag struct{ roomlog.Keep }

// KeepUsage is what --help says of --keep.
const KeepUsage = "remove the oldest entries for good: those over an `AGE` such as 12h or 30d,\nor whatever is more than a size such as 500MB or 10GB; off keeps everything"

// Set implements pflag.Value.
func (k *KeepFlag) Set(s string) (err error) {
	k.Keep, err = roomlog.ParseKeep(s)
	return err
}

// Type implements pflag.Value.
func (k *KeepFlag) Type() string { return "string" }

// Check reports why --keep cannot be given.
func (k *KeepFlag) Check(memory bool) error {
	if memory && k.Keep != (roomlog.Keep{}) {
		return errors.New("--keep: with --memory nothing is kept beyond the process, and of it only the newest 64 MiB")
	}
	return nil
}
