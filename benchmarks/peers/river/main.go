// River under the commands of benchmarks/peers/__init__.py. At its defaults: the configuration of its README, MaxWorkers 100.
// Tuned: what `river bench` uses (riverqueue.com/docs/benchmarks).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const bulkSize = 5_000 // What its own benchmark inserts at once.

type target struct {
	Codec       string `json:"codec"`
	BitrateKbps int    `json:"bitrate_kbps"`
}

type noop struct {
	Source string  `json:"source"`
	Target target  `json:"target"`
	Note   string  `json:"note"`
	Sent   float64 `json:"sent,omitempty"`
}

func (noop) Kind() string { return "noop" }

func task() noop {
	return noop{Source: "https://example.org/episodes/4711", Target: target{Codec: "aac", BitrateKbps: 128}, Note: strings.Repeat("x", 40)}
}

func now() float64 { return float64(time.Now().UnixNano()) / 1e9 }

// tally is what the handler saw.
type tally struct {
	river.WorkerDefaults[noop]
	mutex     sync.Mutex
	Slices    map[string]int `json:"slices"`
	Latencies []float64      `json:"latencies"`
	slices    map[int64]int
}

func (seen *tally) Work(_ context.Context, job *river.Job[noop]) error {
	at := now()
	seen.mutex.Lock()
	defer seen.mutex.Unlock()
	seen.slices[int64(at*100)]++
	if job.Args.Sent != 0 {
		seen.Latencies = append(seen.Latencies, at-job.Args.Sent)
	}
	return nil
}

func (seen *tally) report(path string) {
	seen.Slices = map[string]int{}
	for slice, count := range seen.slices {
		seen.Slices[strconv.FormatInt(slice, 10)] = count
	}
	text, err := json.Marshal(seen)
	must(err)
	must(os.WriteFile(path, text, 0o600))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func timed(work func()) {
	began := time.Now()
	work()
	fmt.Printf("{\"seconds\": %f}\n", time.Since(began).Seconds())
}

func work(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) {
	seen := &tally{slices: map[int64]int{}, Latencies: []float64{}}
	workers := river.NewWorkers()
	river.AddWorker(workers, seen)
	config := &river.Config{Logger: logger, Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}}}
	if os.Getenv("BENCH_TUNED") == "1" {
		config.FetchCooldown = 2 * time.Millisecond
		config.FetchPollInterval = 20 * time.Millisecond
		config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2_000}}
	}
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	must(err)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	must(client.Start(ctx))
	<-stop
	must(client.Stop(ctx))
	seen.report(os.Getenv("BENCH_REPORT"))
}

func main() {
	ctx := context.Background()
	count, _ := strconv.Atoi(os.Getenv("BENCH_TASKS"))
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	must(err)
	defer pool.Close()
	logger := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	if os.Args[1] == "work" {
		work(ctx, pool, logger)
		return
	}
	driver := riverpgxv5.New(pool)
	client, err := river.NewClient[pgx.Tx](driver, &river.Config{Logger: logger})
	must(err)
	must(pool.Ping(ctx))
	switch os.Args[1] {
	case "install":
		migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: logger})
		must(err)
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		must(err)
	case "bulk":
		timed(func() {
			for done := 0; done < count; done += bulkSize {
				batch := make([]river.InsertManyParams, min(bulkSize, count-done))
				for position := range batch {
					batch[position].Args = task()
				}
				_, err := client.InsertManyFast(ctx, batch)
				must(err)
			}
		})
	case "single":
		timed(func() {
			for range count {
				_, err := client.Insert(ctx, task(), nil)
				must(err)
			}
		})
	case "lone":
		for range count {
			time.Sleep(time.Duration(50+rand.Intn(100)) * time.Millisecond)
			args := task()
			args.Sent = now()
			_, err := client.Insert(ctx, args, nil)
			must(err)
		}
	default:
		log.Fatalf("no command %q", os.Args[1])
	}
}
