package serve

import "errors"

// Reload reads again, beside the running server, the files that Config names: the admins
// and the passphrase. Of a file that cannot be read, or is not right, what was read
// before stays, and the error says why; the other one is taken over all the same. Bans
// need no reading: they are in the log's store, and count from the moment they are made.
// It may be called at any time, by any goroutine.
func (s *Server) Reload() error {
	var failed []error
	if s.cfg.AdminsFile != "" {
		failed = append(failed, s.ReloadAdmins())
	}
	if s.cfg.PassphraseFile != "" {
		failed = append(failed, s.ReloadPassphrase())
	}
	return errors.Join(failed...)
}
