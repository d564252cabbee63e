package ops

import (
	"io"
	"strconv"
	"strings"
)

// exposition writes numbers in Prometheus' text format, version 0.0.4. A client library
// would do it too, and a fifth would be added to chatd by it.
type exposition struct{ b strings.Builder }

const expositionType = "text/plain; version=0.0.4; charset=utf-8"

// family begins numbers of one name. kind is counter, gauge or histogram.
func (x *exposition) family(name, kind, help string) {
	help = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help)
	x.b.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// value writes a number; labels are names and values in turn.
func (x *exposition) value(name string, v float64, labels ...string) {
	x.b.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		x.b.WriteByte("{,"[min(i, 1)])
		x.b.WriteString(labels[i] + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		x.b.WriteByte('}')
	}
	x.b.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

// one writes a family of one number.
func (x *exposition) one(name, kind, help string, v float64) {
	x.family(name, kind, help)
	x.value(name, v)
}

// histogram writes a family of buckets: counts has one more than bounds, and none is
// added to the next yet.
func (x *exposition) histogram(name, help string, bounds []float64, counts []uint64, sum float64) {
	x.family(name, "histogram", help)
	total := uint64(0)
	for i, n := range counts {
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		total += n
		x.value(name+"_bucket", float64(total), "le", bound)
	}
	x.value(name+"_sum", sum)
	x.value(name+"_count", float64(total))
}

func (x *exposition) writeTo(w io.Writer) { _, _ = io.WriteString(w, x.b.String()) } // a peer that is gone reads nothing
