package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lanchat/internal/doctor"

	"github.com/rivo/uniseg"
)

var updateReport = flag.Bool("update-report", false, "write testdata/doctor.txt anew")

// What a person reads fits a small terminal; only a command, which is to be copied
// as it is, may be longer.
func TestReportForPeople(t *testing.T) {
	long := strings.Repeat("a long story of many words ", 12)
	report := doctor.Report{
		Checks: []doctor.Check{{Name: "interfaces", Status: doctor.OK, Evidence: "eth0 10.77.0.2/24"}, {Name: "broadcast", Status: doctor.Bad, Evidence: long},
			{Name: "clock", Evidence: "東京の会議室 " + strings.Repeat("東京の会議室 ", 8)}},
		Diagnoses: []doctor.Diagnosis{
			{Code: doctor.ClientFirewall, Cause: "A firewall, " + long, Evidence: []string{"short", long},
				Fix: []doctor.Step{{Do: "With ufw:", Run: "sudo ufw allow 25252/udp"}, {Do: long}, {Run: "a-command " + strings.Repeat("--with-a-long-flag ", 8) + "end"}}},
			{Code: doctor.HostGone, Cause: "The host is gone.", Evidence: []string{"silence"}, Fix: []doctor.Step{{Do: "Look there."}}},
		},
	}
	var out bytes.Buffer
	if err := printReport(&out, report); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimRight(line, "\n"); uniseg.StringWidth(line) > 80 && !strings.HasPrefix(line, "    a-command") {
			t.Errorf("%d columns: %s", uniseg.StringWidth(line), line)
		}
	}
	path := filepath.Join("testdata", "doctor.txt")
	if *updateReport {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || out.String() != string(want) {
		t.Errorf("it is not as in %s (%v):\n%s", path, err, out.String())
	}
}

func TestDoctorRefusesWrongInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"a", "b"}, exitUsage, "accepts at most 1 arg"},
		{[]string{"--", "-x"}, exitUsage, "begins with -"},
		{[]string{"10.0.0.1:0"}, exitUsage, "no HOST:PORT"},
		{[]string{"10.0.0.1:99999"}, exitUsage, "no HOST:PORT"},
	} {
		code, out, errs := s.chat("", append([]string{"doctor"}, tt.args...)...)
		if code != tt.code || !strings.Contains(errs, tt.want) || out != "" {
			t.Errorf("chat doctor %q: exit code %d, %q, %q; want %d, %q", tt.args, code, out, errs, tt.code, tt.want)
		}
	}
	code, out, _ := s.chat("", "doctor", "--timeout", "300ms")
	if code != exitNotFound || !strings.Contains(out, "Likely cause: ") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	code, out, errs := s.chat("", "--timeout", "300ms", "ls")
	if code != exitNotFound || !strings.Contains(errs, "chat doctor") {
		t.Errorf("nobody is told of the doctor: %d, %s, %s", code, out, errs)
	}
}
