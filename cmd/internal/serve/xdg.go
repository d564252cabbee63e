package serve

import (
	"os"
	"path/filepath"
	"runtime"
)

// DataHome is where programs of this user keep data: $XDG_DATA_HOME/lanchat or
// ~/.local/share/lanchat, and on Windows and macOS the system's own place. It
// comes from the XDG Base Directory Specification.
func DataHome() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "lanchat"), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return ConfigHome()
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "share", "lanchat"), nil
}

// ConfigHome is where the user's key and the pinned keys of servers are.
func ConfigHome() (string, error) {
	dir, err := os.UserConfigDir() // honours $XDG_CONFIG_HOME
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "lanchat"), nil
}
