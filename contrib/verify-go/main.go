// verify-go is a second, small verifier of what Release Dossier writes: standard library and golang.org/x/mod only.
//
//	verify-go vectors DIR          every vector of docs/vectors, as one JSON object
//	verify-go bundle FILE TRUST    the faults of a bundle, held against a trust document; exit 0 when there is none
//	verify-go log DIR KEY          a whole log from its static files, with Go's sumdb/tlog
//
// It says whether bytes, signatures and log fit together. What a dossier decides is recomputed by `dossier verify` alone.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "vectors":
		return vectors(args[1])
	case len(args) == 3 && args[0] == "bundle":
		raw, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		chain, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		faults := examine(raw, chain)
		for _, f := range faults {
			fmt.Println(f)
		}
		if len(faults) > 0 {
			return fmt.Errorf("%d faults", len(faults))
		}
		fmt.Println("sound")
		return nil
	case len(args) == 3 && args[0] == "log":
		n, err := readLog(args[1], args[2])
		if err == nil {
			fmt.Println(n, "entries")
		}
		return err
	}
	return fmt.Errorf("usage: verify-go vectors DIR | bundle FILE TRUST | log DIR KEY")
}
