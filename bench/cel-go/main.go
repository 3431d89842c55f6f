// The peer of bench/rules.py: the same 20 rules over the same 100 pieces of evidence, from a parsed document, by cel-go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/google/cel-go/cel"
)

func main() {
	raw, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var doc struct {
		Evidence []map[string]any `json:"evidence"`
		Rules    []string         `json:"rules"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		panic(err)
	}
	env, err := cel.NewEnv(cel.Variable("evidence", cel.ListType(cel.MapType(cel.StringType, cel.DynType))))
	if err != nil {
		panic(err)
	}
	var programs []cel.Program
	for _, rule := range doc.Rules {
		ast, issues := env.Compile(rule)
		if issues.Err() != nil {
			panic(issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			panic(err)
		}
		programs = append(programs, program)
	}
	var took []float64
	for i := 0; i < 400; i++ {
		began := time.Now()
		for _, p := range programs {
			out, _, err := p.Eval(map[string]any{"evidence": doc.Evidence})
			if err != nil || out.Value() != true {
				panic(fmt.Sprint(out, err))
			}
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1e6)
	}
	sort.Float64s(took)
	fmt.Printf("{\"median_ms\": %f, \"best_ms\": %f}\n", took[len(took)/2], took[0])
}
