package serve

import (
	"fmt"
	"os"

	"lanchat/internal/access"
	"lanchat/protocol"
)

// readAdmins lists who is an admin: those of the config, and those of its file as it is
// now.
func (cfg *Config) readAdmins() ([]protocol.UserID, error) {
	var users []protocol.UserID
	for _, key := range cfg.Admins {
		users = append(users, key.UserID())
	}
	if cfg.AdminsFile == "" {
		return users, nil
	}
	f, err := os.Open(cfg.AdminsFile)
	if err != nil {
		return nil, fmt.Errorf("reading the admins: %w", err)
	}
	defer f.Close()
	listed, err := access.ParseAdmins(cfg.AdminsFile, f)
	if err != nil {
		return nil, fmt.Errorf("reading the admins: %w", err)
	}
	return append(users, listed...), nil
}

// ReloadAdmins reads Config.AdminsFile again. Where that fails, the admins stay those who
// they were. It may be called at any time, by any goroutine.
func (s *Server) ReloadAdmins() error {
	users, err := s.cfg.readAdmins()
	if err != nil {
		return err
	}
	s.engine.SetAdmins(users)
	return nil
}
