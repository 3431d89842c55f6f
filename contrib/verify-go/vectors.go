package main

// docs/vectors: each case is asked, and what this verifier says is held against what the file says.

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"

	"golang.org/x/mod/sumdb/tlog"
)

type tally struct {
	Passed   int      `json:"passed"`
	Total    int      `json:"total"`
	Failures []string `json:"failures"`
}

// want: `refuse` in the file means an error here, whichever; anything else must be equal.
func (t *tally) want(name string, refuse string, err error, found, due any) {
	t.Total++
	switch {
	case refuse != "" && err != nil, refuse == "" && err == nil && reflect.DeepEqual(found, due):
		t.Passed++
	default:
		t.Failures = append(t.Failures, fmt.Sprintf("%s: found %v (%v), expected %v%s", name, found, err, due, refuse))
	}
}

func read[T any](dir, name string) (T, error) {
	var out T
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

func vectors(dir string) error {
	suites := map[string]func(string, *tally) error{
		"jcs": jcsVectors, "keys": keyVectors, "pae": paeVectors, "envelopes": envelopeVectors, "statements": statementVectors,
		"trust": trustVectors, "log": logVectors, "bundles": bundleVectors,
	}
	out, failed := map[string]*tally{}, 0
	for name, suite := range suites {
		t := &tally{Failures: []string{}}
		if err := suite(dir, t); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		out[name], failed = t, failed+len(t.Failures)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	fmt.Println(string(raw))
	if failed > 0 {
		return fmt.Errorf("%d vectors fail", failed)
	}
	return nil
}

type b64 []byte

func (b *b64) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(s)
	*b = data
	return err
}

func jcsVectors(dir string, t *tally) error {
	cases, err := read[[]struct {
		Name, Refuse     string
		Input, Canonical b64
	}](dir, "jcs.json")
	for _, c := range cases {
		v, err := parseJSON(c.Input)
		var out []byte
		if err == nil {
			out, err = canonical(v)
		}
		t.want(c.Name, c.Refuse, err, string(out), string(c.Canonical))
	}
	return err
}

func keyVectors(dir string, t *tally) error {
	cases, err := read[[]struct {
		Name, Public, ID string
		Vkey             *string
	}](dir, "keys.json")
	for _, c := range cases {
		k, err := parsePublic(c.Public)
		t.want(c.Name, "", err, k.id(), c.ID)
		if c.Vkey != nil {
			vkey, err := noteKey("log.example/1", k)
			t.want(c.Name+" as a note key", "", err, vkey, *c.Vkey)
		}
	}
	return err
}

func paeVectors(dir string, t *tally) error {
	cases, err := read[[]struct {
		PayloadType  string
		Payload, Pae b64
	}](dir, "pae.json")
	for _, c := range cases {
		t.want(c.PayloadType, "", nil, string(pae(c.PayloadType, c.Payload)), string(c.Pae))
	}
	return err
}

func envelopeVectors(dir string, t *tally) error {
	cases, err := read[[]struct {
		Name, Refuse  string
		Keys, Signers []string
		Envelope      b64
	}](dir, "envelopes.json")
	for _, c := range cases {
		known, err := newKeyring(c.Keys)
		if err != nil {
			return err
		}
		e, err := parseEnvelope(c.Envelope)
		found := []string{}
		if err == nil {
			for id := range e.signers(known) {
				found = append(found, id)
			}
		}
		sort.Strings(found)
		sort.Strings(c.Signers)
		t.want(c.Name, c.Refuse, err, found, c.Signers)
	}
	return err
}

func statementVectors(dir string, t *tally) error {
	cases, err := read[[]struct {
		Name, Refuse, Word, Project, Digest string
		Statement                           b64
	}](dir, "statements.json")
	for _, c := range cases {
		s, err := parseStatement(c.Statement)
		t.want(c.Name, c.Refuse, err, []string{s.word, s.project, s.digest}, []string{c.Word, c.Project, c.Digest})
	}
	return err
}

func trustVectors(dir string, t *tally) error {
	cases, err := read[[]struct {
		Name, Refuse, Project, Digest string
		Version                       int64
		Chain                         b64
	}](dir, "trust.json")
	for _, c := range cases {
		found, err := parseChain(c.Chain, "")
		t.want(c.Name, c.Refuse, err, []any{found.project, found.digest, found.newest.number}, []any{c.Project, c.Digest, c.Version})
	}
	return err
}

type logFile struct {
	Lines, Leaves, Roots []string
	Inclusion            []struct {
		Index, Size int64
		Path        []string
	}
	Consistency []struct {
		Old, New int64
		Path     []string
	}
	Checkpoints []struct {
		Name, Refuse, Origin, Root, Key string
		Size                            int64
		Signed                          bool
		Note                            b64
	}
	Proofs []struct {
		Name, Refuse, Line string
		Proves             bool
		Proof              b64
	}
	Tiles struct{ Folder, Key string }
}

func logVectors(dir string, t *tally) error {
	l, err := read[logFile](dir, "log.json")
	if err != nil {
		return err
	}
	roots, err := hashes(l.Roots, hex.DecodeString)
	if err != nil {
		return err
	}
	for i, line := range l.Lines {
		t.want(fmt.Sprintf("leaf %d", i), "", nil, hashText(tlog.RecordHash(leafData([]byte(line)))), l.Leaves[i])
	}
	for _, c := range l.Inclusion {
		path, err := hashes(c.Path, hex.DecodeString)
		good := err == nil && included(c.Index, checkpoint{size: c.Size, root: roots[c.Size]}, []byte(l.Lines[c.Index]), path)
		t.want(fmt.Sprintf("entry %d of %d", c.Index, c.Size), "", err, good, true)
	}
	for _, c := range l.Consistency {
		path, err := hashes(c.Path, hex.DecodeString)
		if err == nil {
			err = tlog.CheckTree(path, c.New, roots[c.New], c.Old, roots[c.Old])
		}
		t.want(fmt.Sprintf("%d extends %d", c.New, c.Old), "", err, nil, nil)
	}
	for _, c := range l.Checkpoints {
		found, err := parseCheckpoint(c.Note)
		signed := false
		if err == nil {
			signed, err = signedBy(c.Note, c.Key)
		}
		t.want(c.Name, c.Refuse, err, []any{found.origin, found.size, hashText(found.root), signed}, []any{c.Origin, c.Size, c.Root, c.Signed})
	}
	for _, c := range l.Proofs {
		good, err := proves(c.Proof, []byte(c.Line))
		t.want(c.Name, c.Refuse, err, good, c.Proves)
	}
	n, err := readLog(filepath.Join(dir, l.Tiles.Folder), l.Tiles.Key)
	t.want("the log in files", "", err, n, int64(300))
	return nil
}

func bundleVectors(dir string, t *tally) error {
	cases, err := read[[]struct {
		Name, File, Trust string
		Chain             b64
		Edit              []int
		Cut               int
		Sound             bool
	}](dir, "bundles.json")
	if err != nil {
		return err
	}
	for _, c := range cases {
		raw, err := os.ReadFile(filepath.Join(dir, c.File))
		if err != nil {
			return err
		}
		chain := []byte(c.Chain)
		if c.Trust != "" {
			if chain, err = os.ReadFile(filepath.Join(dir, c.Trust)); err != nil {
				return err
			}
		}
		if c.Edit != nil {
			raw[c.Edit[0]] ^= byte(c.Edit[1])
		}
		if c.Cut > 0 {
			raw = raw[:c.Cut]
		}
		faults := examine(raw, chain)
		t.want(c.Name, "", nil, len(faults) == 0, c.Sound)
		if c.Sound && len(faults) > 0 {
			t.Failures = append(t.Failures, faults...)
		}
	}
	return nil
}

func hashText(h tlog.Hash) string { return hex.EncodeToString(h[:]) }
