// A second opinion on a kept history: porcupine looks for an order of the calls under each key that explains what they saw.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

type call struct {
	Key     string   `json:"key"`
	Body    string   `json:"body"`
	BegunAt float64  `json:"begunAt"`
	EndedAt *float64 `json:"endedAt"`
	Saw     struct {
		Kind string `json:"kind"`
		Ids  string `json:"ids"`
	} `json:"saw"`
}

type history struct {
	Calls         []call  `json:"calls"`
	KeyLifetimeMs float64 `json:"keyLifetimeMs"`
}

// What a key was written with; ids are empty as long as nobody has read them.
type register struct {
	isWritten bool
	body, ids string
}

// A key is written by the first call that takes effect, and read by every other one.
var model = porcupine.Model{
	Init: func() interface{} { return register{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		now, asked := state.(register), input.(call)
		switch asked.Saw.Kind {
		case "accepted":
			if !now.isWritten || (now.body == asked.Body && now.ids == "") {
				return true, register{true, asked.Body, asked.Saw.Ids}
			}
			return now.body == asked.Body && now.ids == asked.Saw.Ids, now
		case "conflict":
			return now.isWritten && now.body != asked.Body, now
		default:
			if now.isWritten {
				return true, now
			}
			return true, register{true, asked.Body, ""}
		}
	},
}

// A search that takes longer than this has no opinion.
const patience = 60 * time.Second

func main() {
	startedAt := time.Now()
	keys, calls, found := 0, 0, 0
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	decoder := json.NewDecoder(lines)
	for decoder.More() {
		var one history
		if err := decoder.Decode(&one); err != nil {
			fmt.Fprintln(os.Stderr, "porcupine: this is no history:", err)
			os.Exit(2)
		}
		for key, tries := range byKey(one.Calls) {
			keys++
			calls += len(tries)
			switch porcupine.CheckOperationsTimeout(model, operations(tries, one.KeyLifetimeMs), patience) {
			case porcupine.Illegal:
				found++
				fmt.Printf("violation: porcupine: key %s: no order of its %d calls explains what they saw\n", key, len(tries))
			case porcupine.Unknown:
				found++
				fmt.Printf("violation: porcupine: key %s: no order of its %d calls was found in %s\n", key, len(tries), patience)
			}
		}
	}
	word := "held"
	if found > 0 {
		word = "FAILED"
	}
	fmt.Printf("porcupine: %d keys, %d calls, judged in %d ms: %s\n", keys, calls, time.Since(startedAt).Milliseconds(), word)
	if found > 0 {
		os.Exit(1)
	}
}

func byKey(calls []call) map[string][]call {
	groups := map[string][]call{}
	for _, one := range calls {
		groups[one.Key] = append(groups[one.Key], one)
	}
	return groups
}

// What was begun while the key was sure to be remembered. A call that nobody heard of may take effect at any time from then on, or never,
// which is as if it did so after all others; of those with one body the earliest stands for all.
func operations(tries []call, lifetimeMs float64) []porcupine.Operation {
	first := math.Inf(1)
	unheard := map[string]float64{}
	for _, one := range tries {
		first = math.Min(first, one.BegunAt)
		if at, isThere := unheard[one.Body]; one.Saw.Kind == "none" && (!isThere || one.BegunAt < at) {
			unheard[one.Body] = one.BegunAt
		}
	}
	var all []porcupine.Operation
	for index, one := range tries {
		if one.Saw.Kind == "none" || one.BegunAt > first+lifetimeMs {
			continue
		}
		all = append(all, porcupine.Operation{ClientId: index, Input: one, Call: micros(one.BegunAt), Return: micros(*one.EndedAt)})
	}
	for body, at := range unheard {
		one := call{Body: body}
		one.Saw.Kind = "none"
		all = append(all, porcupine.Operation{ClientId: len(all) + len(tries), Input: one, Call: micros(at), Return: math.MaxInt64})
	}
	return all
}

func micros(ms float64) int64 {
	return int64(ms * 1000)
}
