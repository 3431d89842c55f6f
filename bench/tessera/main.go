// Tessera on POSIX files, on this machine now: appends a second one by one, and many together. Prints one JSON object.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// An entry is about as long as a line of our log.
const entryBytes = 400

func main() {
	folder := os.Args[1]
	single, batch, batches := number(os.Args[2]), number(os.Args[3]), number(os.Args[4])
	out := map[string]float64{
		"single_per_s":  appended(filepath.Join(folder, "single"), 1, single),
		"batched_per_s": appended(filepath.Join(folder, "batched"), batch, batches),
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}

// appended is the middle rate of many appends of `size` entries each; one ends when its last entry has its place and is on disk.
func appended(folder string, size, times int) float64 {
	ctx := context.Background()
	driver := must(posix.New(ctx, posix.Config{Path: folder}))
	private, _, err := note.GenerateKey(rand.Reader, "bench")
	if err != nil {
		panic(err)
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(must(note.NewSigner(private))).
		WithBatching(uint(size), 50*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		panic(err)
	}
	var rates []float64
	for range times {
		began := time.Now()
		futures := make([]tessera.IndexFuture, size)
		for i := range futures {
			bytes := make([]byte, entryBytes)
			must(rand.Read(bytes))
			futures[i] = appender.Add(ctx, tessera.NewEntry(bytes))
		}
		for _, f := range futures {
			must(f())
		}
		rates = append(rates, float64(size)/time.Since(began).Seconds())
	}
	if err := shutdown(ctx); err != nil {
		panic(err)
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}

func number(text string) int { return must(strconv.Atoi(text)) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprint(err))
	}
	return value
}
