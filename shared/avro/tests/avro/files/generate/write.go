// Writes the two orders with hamba/avro, in each codec. Arguments: schema, directory.
package main

import (
	"log"
	"math/big"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hamba/avro/v2/ocf"
)

type order struct {
	ID    int64              `avro:"id"`
	At    time.Time          `avro:"at"`
	Price *big.Rat           `avro:"price"`
	State string             `avro:"state"`
	Hash  [2]byte            `avro:"hash"`
	Note  *string            `avro:"note"`
	Any   any                `avro:"any"`
	Tags  []string           `avro:"tags"`
	Rates map[string]float64 `avro:"rates"`
}

func main() {
	schema, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	at := time.UnixMilli(1795696245678)
	note := "grün"
	orders := []order{
		{1010, at, big.NewRat(-1234, 100), "DONE", [2]byte{0, 255}, &note, int64(-7), []string{"a", ""}, map[string]float64{"x": 0.5}},
		{-1, at, big.NewRat(0, 1), "NEW", [2]byte{'a', 'b'}, nil, "z", []string{}, map[string]float64{}},
	}
	for _, codec := range []ocf.CodecName{ocf.Null, ocf.Deflate, ocf.Snappy, ocf.ZStandard} {
		file, err := os.Create(filepath.Join(os.Args[2], string(codec)+"-hamba-avro-go-"+version()+".avro"))
		if err != nil {
			log.Fatal(err)
		}
		encoder, err := ocf.NewEncoder(string(schema), file, ocf.WithCodec(codec))
		if err != nil {
			log.Fatal(err)
		}
		for _, order := range orders {
			if err := encoder.Encode(order); err != nil {
				log.Fatal(err)
			}
		}
		if err := encoder.Close(); err != nil {
			log.Fatal(err)
		}
	}
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/hamba/avro/v2" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return "unknown"
}
