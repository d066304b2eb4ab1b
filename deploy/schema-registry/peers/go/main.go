// The program peer produces and consumes records of schemas/user.avsc with franz-go, its client of schema registries, and
// hamba/avro.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

const timeout = 60 * time.Second

type user struct {
	ID    int    `avro:"id" json:"id"`
	Name  string `avro:"name" json:"name"`
	Email string `avro:"email" json:"email"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: peer produce|consume TOPIC N")
	}
	count, err := strconv.Atoi(os.Args[3])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	registry, err := sr.NewClient(sr.URLs(os.Getenv("SCHEMA_REGISTRY_URL")))
	check(err)
	servers := kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...)
	switch os.Args[1] {
	case "produce":
		produce(ctx, registry, servers, os.Args[2], count)
	case "consume":
		consume(ctx, registry, servers, os.Args[2], count)
	default:
		log.Fatal("usage: peer produce|consume TOPIC N")
	}
}

func produce(ctx context.Context, registry *sr.Client, servers kgo.Opt, topic string, count int) {
	text, err := os.ReadFile(os.Getenv("AVRO_SCHEMA"))
	check(err)
	schema, err := avro.Parse(string(text))
	check(err)
	registered, err := registry.CreateSchema(ctx, topic+"-value", sr.Schema{Schema: string(text), Type: sr.TypeAvro})
	check(err)
	client, err := kgo.NewClient(servers, kgo.AllowAutoTopicCreation())
	check(err)
	defer client.Close()
	for number := range count {
		one := user{ID: 1010 + 10*(number%2), Name: fmt.Sprintf("user %d", number), Email: fmt.Sprintf("user%d@example.com", number)}
		prefix, err := new(sr.ConfluentHeader).AppendEncode(nil, registered.ID, nil)
		check(err)
		datum, err := avro.Marshal(schema, one)
		check(err)
		record := &kgo.Record{Topic: topic, Value: append(prefix, datum...)}
		check(client.ProduceSync(ctx, record).FirstErr())
		show(one)
	}
}

func consume(ctx context.Context, registry *sr.Client, servers kgo.Opt, topic string, count int) {
	client, err := kgo.NewClient(servers, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	check(err)
	defer client.Close()
	schemas := map[int]avro.Schema{}
	for count > 0 {
		fetches := client.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			id, datum, err := new(sr.ConfluentHeader).DecodeID(record.Value)
			check(err)
			if schemas[id] == nil {
				registered, err := registry.SchemaByID(ctx, id)
				check(err)
				schemas[id], err = avro.Parse(registered.Schema)
				check(err)
			}
			var one user
			check(avro.Unmarshal(schemas[id], datum, &one))
			if count > 0 {
				show(one)
			}
			count--
		})
	}
}

func show(one user) {
	text, err := json.Marshal(one)
	check(err)
	fmt.Println(string(text))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
