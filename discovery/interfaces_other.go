//go:build !linux

package discovery

// systemLinks lists the links of this host as they are now.
func systemLinks() ([]link, error) { return portableLinks() }
