// A worker for a taskfleet queue in another language: what docs/sql-contract.md asks of one, in one file.
//
//	TASKFLEET_DATABASE_URL=postgresql://… go run . -queue shop -slots 4
//
// Handlers stand in handlers.go; everything here is the contract: one session a process, claims no larger than the free slots, a renewal
// that names all leases, settlements that show their token, a drain that ends with mark_drained, and a goodbye.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	queue := flag.String("queue", "default", "the queue to serve")
	slots := flag.Int("slots", 4, "tasks that run at once")
	lease := flag.Duration("lease", 30*time.Second, "how long the session lives without a renewal")
	poll := flag.Duration("poll", 2*time.Second, "longest wait between two looks for work")
	grace := flag.Duration("grace", 20*time.Second, "how long running tasks may take after SIGTERM")
	flag.Parse()

	asked, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	pool, err := pgxpool.New(context.Background(), os.Getenv("TASKFLEET_DATABASE_URL"))
	if err != nil {
		slog.Error("worker.no_database", "error", err)
		os.Exit(1)
	}
	defer pool.Close()
	worker := &Worker{Store: Store{pool}, Queue: *queue, Slots: *slots, Lease: *lease, Poll: *poll, held: map[int64]*Running{}}
	if err := worker.Run(asked, *grace); err != nil {
		slog.Error("worker.failed", "error", err)
		os.Exit(1)
	}
}

// Worker runs tasks of one queue until it is asked to stop.
type Worker struct {
	Store Store
	Queue string
	Slots int
	Lease time.Duration
	Poll  time.Duration

	renewedAt time.Time // the renewing goroutine's own
	drained   bool      // the claiming goroutine's own

	mutex    sync.Mutex
	session  string
	draining bool
	held     map[int64]*Running // until the answer to its settlement has come: a renewal names them all
	done     sync.WaitGroup
}

// Running is one claimed task. Its context ends when the lease is lost or somebody cancels the task.
type Running struct {
	Task
	cancel context.CancelCauseFunc
}

var (
	errLost      = errors.New("the lease was lost")
	errCancelled = errors.New("the task was cancelled")
	errShutdown  = errors.New("the worker shuts down")
)

// Run claims and runs tasks until `asked` ends, then lets running ones finish for at most `grace`.
func (worker *Worker) Run(asked context.Context, grace time.Duration) error {
	working, leave := context.WithCancelCause(context.Background())
	defer leave(nil)
	if err := worker.open(working); err != nil {
		return err
	}
	worker.renewedAt = time.Now()
	go worker.renewForever(working)
	worker.claimUntil(asked, working)

	// No claim is on its way any more. What does not end in time goes back to the queue without using up an attempt.
	finished := make(chan struct{})
	go func() { worker.done.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(grace):
		leave(errShutdown)
		<-finished
	}
	return worker.Store.CloseSession(context.Background(), worker.sessionID())
}

func (worker *Worker) claimUntil(asked, working context.Context) {
	pause := worker.Poll / 16
	for asked.Err() == nil {
		claimed := worker.claimOnce(working)
		if claimed {
			pause = worker.Poll / 16
			continue
		}
		// Jitter, so that a fleet does not ask in step; longer and longer while there is nothing to do.
		select {
		case <-asked.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(pause*2, worker.Poll)
	}
}

// claimOnce starts what it could claim; false: nothing, or not allowed.
func (worker *Worker) claimOnce(working context.Context) bool {
	if worker.isDraining() {
		worker.sayDrained(working)
		return false
	}
	free := worker.Slots - len(worker.leases())
	if free == 0 {
		return false
	}
	verdict, tasks, err := worker.Store.Claim(working, worker.sessionID(), kinds(), free)
	switch {
	case err != nil:
		// A claim whose answer was lost holds leases that we do not know: we never name them, so two renewals give them back.
		slog.Warn("claim.failed", "error", err)
	case verdict == "session_lost":
		worker.reopen(working)
	case verdict == "draining":
		worker.setDraining(true)
	}
	for _, task := range tasks {
		worker.start(working, task)
	}
	return len(tasks) > 0
}

// sayDrained is called where claims are made, so that none can be on its way; the database looks again whether a lease is left.
func (worker *Worker) sayDrained(working context.Context) {
	if worker.drained || len(worker.leases()) > 0 {
		return
	}
	drained, err := worker.Store.MarkDrained(working, worker.sessionID())
	if worker.drained = err == nil && drained; worker.drained {
		slog.Info("worker.drained")
	}
}

func (worker *Worker) start(working context.Context, task Task) {
	running, cancel := context.WithCancelCause(working)
	limited, release := running, context.CancelFunc(func() {})
	if task.TimeoutSeconds != nil {
		limited, release = context.WithTimeout(running, time.Duration(*task.TimeoutSeconds*float64(time.Second)))
	}
	worker.mutex.Lock()
	worker.held[task.ID] = &Running{Task: task, cancel: cancel}
	worker.mutex.Unlock()
	worker.done.Add(1)
	go func() {
		defer worker.done.Done()
		defer worker.forget(task)
		defer release()
		defer cancel(nil)
		outcome := run(limited, task)
		if errors.Is(context.Cause(running), errLost) {
			slog.Warn("task.stale", "task", task.ID) // Somebody else has it: nothing that we write would count.
			return
		}
		worker.settle(task, outcome)
	}()
}

// settle writes an outcome until it is answered: the lease token makes it safe to come again, whatever became of the last try.
func (worker *Worker) settle(task Task, outcome Outcome) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		known, err := worker.Store.Settle(context.Background(), task, outcome)
		if err == nil {
			slog.Info("task.ended", "task", task.ID, "kind", task.Kind, "outcome", outcome.Name, "stale", !known)
			return
		}
		if !worker.holds(task) {
			return
		}
		slog.Warn("settle.failed", "task", task.ID, "error", err)
		time.Sleep(pause/2 + rand.N(pause/2))
	}
}

// renewForever renews three times a lease, at least every 10 s, so that a lost worker is seen soon.
func (worker *Worker) renewForever(working context.Context) {
	tick := time.NewTicker(min(worker.Lease/3, 10*time.Second))
	defer tick.Stop()
	for {
		select {
		case <-working.Done():
			return
		case <-tick.C:
			worker.renewOnce(working)
		}
	}
}

func (worker *Worker) renewOnce(working context.Context) {
	begun := time.Now()
	patience, release := context.WithTimeout(working, worker.Lease/3)
	defer release()
	beat, err := worker.Store.Renew(patience, worker.sessionID(), worker.leases())
	switch {
	case err != nil && begun.Sub(worker.renewedAt) > worker.Lease:
		// Nobody has heard of us for a whole lease: others may run what we hold.
		worker.loseAll()
	case err != nil:
		slog.Warn("renew.failed", "error", err)
	case !beat.Known:
		worker.reopen(working)
	default:
		worker.renewedAt = begun
		worker.setDraining(beat.Draining)
		worker.interrupt(beat.Lost, errLost)
		worker.interrupt(beat.Cancelled, errCancelled)
	}
}

// reopen gives up everything that the lost session held, and starts a new one: an expired session never lives again.
func (worker *Worker) reopen(working context.Context) {
	slog.Warn("session.lost", "session", worker.sessionID())
	worker.loseAll()
	if err := worker.open(working); err != nil {
		slog.Warn("session.not_opened", "error", err)
	}
}

func (worker *Worker) loseAll() {
	for _, lease := range worker.leases() {
		worker.interrupt([]int64{lease.ID}, errLost)
	}
}

func (worker *Worker) open(working context.Context) error {
	session, err := worker.Store.OpenSession(working, worker.Queue, worker.Slots, kinds(), worker.Lease)
	if err != nil {
		return err
	}
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	worker.session, worker.draining = session, false
	slog.Info("session.opened", "session", session)
	return nil
}

func (worker *Worker) interrupt(ids []int64, cause error) {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	for _, id := range ids {
		if running, known := worker.held[id]; known {
			running.cancel(cause)
		}
	}
}

func (worker *Worker) leases() []Task {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	leases := make([]Task, 0, len(worker.held))
	for _, running := range worker.held {
		leases = append(leases, running.Task)
	}
	return leases
}

func (worker *Worker) holds(task Task) bool {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	running, known := worker.held[task.ID]
	return known && running.Token == task.Token
}

func (worker *Worker) forget(task Task) {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	if running, known := worker.held[task.ID]; known && running.Token == task.Token {
		delete(worker.held, task.ID)
	}
}

func (worker *Worker) sessionID() string {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	return worker.session
}

func (worker *Worker) isDraining() bool {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	return worker.draining
}

func (worker *Worker) setDraining(draining bool) {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	worker.draining = draining
}
