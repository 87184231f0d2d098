package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store calls the SQL functions of the contract, one method each, every call in autocommit.
type Store struct{ pool *pgxpool.Pool }

// Task is a row of taskfleet.claim.
type Task struct {
	ID             int64
	Token          string
	Kind           string
	Payload        json.RawMessage
	Attempt        int
	MaxAttempts    int
	TimeoutSeconds *float64
	EntityMissing  bool
}

// Outcome is how an attempt ended: Name is completed, failed or released.
type Outcome struct {
	Name    string
	Result  json.RawMessage
	Code    string
	Message string
	Delay   time.Duration
}

// Beat is the row of taskfleet.renew.
type Beat struct {
	Known, Draining bool
	Lost, Cancelled []int64
}

// OpenSession registers this process under a new id.
func (store Store) OpenSession(ctx context.Context, queue string, slots int, kinds []string, lease time.Duration) (string, error) {
	host, _ := os.Hostname()
	var session string
	if err := store.pool.QueryRow(ctx, "SELECT gen_random_uuid()::text").Scan(&session); err != nil {
		return "", err
	}
	_, err := store.pool.Exec(ctx, "SELECT taskfleet.open_session($1, $2, $3, $4, $5, $6)",
		session, queue, fmt.Sprintf("%s-%d", host, os.Getpid()), slots, kinds, lease.Seconds())
	return session, err
}

// Claim gives tasks, or the verdict that says why there are none.
func (store Store) Claim(ctx context.Context, session string, kinds []string, limit int) (string, []Task, error) {
	rows, err := store.pool.Query(ctx, `
		SELECT verdict, task_id, token::text, kind, payload, attempt, max_attempts, timeout_seconds, entity_missing
		FROM taskfleet.claim($1, $2, $3)`, session, kinds, limit)
	if err != nil {
		return "", nil, err
	}
	defer rows.Close()
	var verdict string
	var tasks []Task
	for rows.Next() {
		var id *int64
		var token, kind *string
		var payload []byte
		var attempt, most *int
		var timeout *float64
		var missing *bool
		if err := rows.Scan(&verdict, &id, &token, &kind, &payload, &attempt, &most, &timeout, &missing); err != nil {
			return "", nil, err
		}
		if id != nil {
			tasks = append(tasks, Task{*id, *token, *kind, payload, *attempt, *most, timeout, *missing})
		}
	}
	return verdict, tasks, rows.Err()
}

// Renew names every lease that is held.
func (store Store) Renew(ctx context.Context, session string, held []Task) (Beat, error) {
	ids, tokens := make([]int64, 0, len(held)), make([]string, 0, len(held))
	for _, task := range held {
		ids, tokens = append(ids, task.ID), append(tokens, task.Token)
	}
	var beat Beat
	err := store.pool.QueryRow(ctx, "SELECT known, draining, lost, cancelled FROM taskfleet.renew($1, $2, $3)", session, ids, tokens).
		Scan(&beat.Known, &beat.Draining, &beat.Lost, &beat.Cancelled)
	return beat, err
}

// Settle writes one outcome; false: the lease was lost, nothing was written. (A busy worker sends many in one call.)
func (store Store) Settle(ctx context.Context, task Task, outcome Outcome) (bool, error) {
	ids, tokens := []int64{task.ID}, []string{task.Token}
	switch outcome.Name {
	case "completed":
		return store.complete(ctx, ids, tokens, outcome.Result)
	case "released":
		return store.answered(ctx, "SELECT task_id, outcome FROM taskfleet.release($1, $2, $3, $4)",
			ids, tokens, []string{outcome.Code}, []float64{outcome.Delay.Seconds()})
	default:
		return store.answered(ctx, "SELECT task_id, outcome FROM taskfleet.fail($1, $2, $3, $4)",
			ids, tokens, []string{outcome.Code}, []string{outcome.Message})
	}
}

func (store Store) complete(ctx context.Context, ids []int64, tokens []string, result json.RawMessage) (bool, error) {
	var results []*string
	if result != nil {
		text := string(result)
		results = []*string{&text}
	}
	var wanted bool
	err := store.pool.QueryRow(ctx, "SELECT result_wanted FROM taskfleet.complete($1, $2, $3::text[]::jsonb[])", ids, tokens, results).
		Scan(&wanted)
	if err == pgx.ErrNoRows {
		return false, nil
	}
	if err == nil && wanted {
		// After the commit, in a call of its own; whoever waits polls too, so a lost one only costs time.
		_, _ = store.pool.Exec(ctx, "SELECT taskfleet.announce($1)", ids)
	}
	return err == nil, err
}

func (store Store) answered(ctx context.Context, query string, arguments ...any) (bool, error) {
	var id int64
	var became string
	err := store.pool.QueryRow(ctx, query, arguments...).Scan(&id, &became)
	if err == pgx.ErrNoRows {
		return false, nil
	}
	if err == nil && (became == "failed" || became == "cancelled") {
		_, _ = store.pool.Exec(ctx, "SELECT taskfleet.announce($1)", []int64{id})
	}
	return err == nil, err
}

// MarkDrained says that a draining worker is empty.
func (store Store) MarkDrained(ctx context.Context, session string) (bool, error) {
	var drained bool
	err := store.pool.QueryRow(ctx, "SELECT taskfleet.mark_drained($1)", session).Scan(&drained)
	return drained, err
}

// CloseSession says goodbye; what was still held goes back.
func (store Store) CloseSession(ctx context.Context, session string) error {
	_, err := store.pool.Exec(ctx, "SELECT taskfleet.close_session($1)", session)
	return err
}
