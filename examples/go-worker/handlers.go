package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A handler returns a result or an error. It must end soon after its context has ended.
type handler func(ctx context.Context, payload json.RawMessage) (any, error)

// errInvalid makes a dead letter at once: another attempt would meet the same payload.
var errInvalid = errors.New("the payload is invalid")

var handlers = map[string]handler{
	"thumbnail": thumbnail,
}

func thumbnail(ctx context.Context, payload json.RawMessage) (any, error) {
	var asked struct {
		Photo   string  `json:"photo"`
		Seconds float64 `json:"seconds"`
	}
	if err := json.Unmarshal(payload, &asked); err != nil || asked.Photo == "" {
		return nil, fmt.Errorf("%w: it must hold a photo", errInvalid)
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Duration(asked.Seconds * float64(time.Second))):
		return map[string]string{"thumbnail": asked.Photo + ".small"}, nil
	}
}

func kinds() []string { return slices.Sorted(maps.Keys(handlers)) }

// run calls the handler and turns what it did into an outcome.
func run(ctx context.Context, task Task) (outcome Outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			outcome = Outcome{Name: "failed", Code: "TASK_EXECUTION_FAILED", Message: fmt.Sprint("panic: ", fault)}
		}
	}()
	if task.EntityMissing {
		return Outcome{Name: "failed", Code: "TASK_ENTITY_NOT_FOUND", Message: "its entity is known to be missing"}
	}
	result, err := handlers[task.Kind](ctx, task.Payload)
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		text, fault := json.Marshal(result)
		if fault != nil {
			return Outcome{Name: "failed", Code: "TASK_EXECUTION_FAILED", Message: fault.Error()}
		}
		return Outcome{Name: "completed", Result: text}
	case errors.Is(cause, errShutdown):
		return Outcome{Name: "released", Code: "TASK_SHUTDOWN"}
	case errors.Is(cause, errCancelled):
		// Given back, it ends as cancelled: the database knows that somebody wanted that.
		return Outcome{Name: "released", Code: "TASK_CANCELLED"}
	case errors.Is(cause, context.DeadlineExceeded):
		return Outcome{Name: "failed", Code: "TASK_TIMED_OUT", Message: "it ran longer than its kind allows"}
	case errors.Is(err, errInvalid):
		return Outcome{Name: "failed", Code: "TASK_PAYLOAD_INVALID", Message: err.Error()}
	default:
		return Outcome{Name: "failed", Code: "TASK_EXECUTION_FAILED", Message: err.Error()}
	}
}
