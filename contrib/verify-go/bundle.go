package main

// A bundle: a tar whose every byte follows from names and contents, a signed list of its files, statements and their places in the log.

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

const block = 512

var plainName = regexp.MustCompile(`^[A-Za-z0-9._@+-]+(/[A-Za-z0-9._@+-]+)*$`)
var octal = regexp.MustCompile(`^[0-7]{11}$`)

var folders = map[string]string{
	"evidence": "evidence", "approvals": "approval", "rejections": "rejection", "withdrawals": "withdrawal", "waivers": "waiver",
	"releases": "release", "decisions": "decision", "changes": "change", "dossiers": "dossier", "deployments": "deployment",
	"postures": "posture", "erasures": "erasure",
}

func header(name string, size int64) []byte {
	h := make([]byte, block)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00", size))
	copy(h[136:], "00000000000\x00        0")
	copy(h[257:], "ustar\x0000")
	copy(h[329:], "0000000\x000000000\x00")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

func unpack(raw []byte) (map[string][]byte, error) {
	out, before := map[string][]byte{}, ""
	for at := 0; ; {
		if len(raw)-at < block {
			return nil, fmt.Errorf("byte %d: no header", at)
		}
		h := raw[at : at+block]
		if bytes.Equal(h, make([]byte, block)) {
			if !bytes.Equal(raw[at+block:], make([]byte, block)) {
				return nil, fmt.Errorf("byte %d: no end of two empty blocks", at)
			}
			return out, nil
		}
		name := string(bytes.TrimRight(h[:100], "\x00"))
		if !plainName.MatchString(name) || !octal.Match(h[124:135]) || steps(name) {
			return nil, fmt.Errorf("byte %d: name or size", at)
		}
		size, _ := strconv.ParseInt(string(h[124:135]), 8, 64)
		if !bytes.Equal(h, header(name, size)) || name <= before {
			return nil, fmt.Errorf("%s: another header, or out of order", name)
		}
		at += block
		end := at + int(size)
		padded := end + int(-size&(block-1))
		if size > int64(len(raw)-at) || padded > len(raw) || !bytes.Equal(raw[end:padded], make([]byte, padded-end)) {
			return nil, fmt.Errorf("%s: length or padding", name)
		}
		out[name], before, at = raw[at:end], name, padded
	}
}

func steps(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if strings.Trim(part, ".") == "" {
			return true
		}
	}
	return false
}

// examine names every fault of a bundle, held against the trust a verifier brings. None means it is sound; what it decides is not judged.
func examine(raw, chain []byte) []string {
	var faults []string
	note := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	files, err := unpack(raw)
	if err != nil {
		return []string{err.Error()}
	}
	t, err := parseChain(chain, "")
	if err != nil {
		return []string{"trust: " + err.Error()}
	}
	if _, err := parseChain(files["trust/dossier.trust.json"], t.project); err != nil {
		note("trust/dossier.trust.json: %v", err)
	}
	machines := t.newest.machines()
	for _, fault := range manifest(files, t, machines) {
		note("bundle.json: %s", fault)
	}
	places, err := logPlaces(files, t.project, machines)
	if err != nil {
		note("log: %v", err)
	}
	lying := map[string]bool{}
	for name, content := range files {
		switch {
		case strings.HasPrefix(name, "artifacts/"):
			if name != fmt.Sprintf("artifacts/%x", sha256.Sum256(content)) {
				note("%s: other content", name)
			}
		case strings.HasPrefix(name, "attestations/"):
			if err := checkAttestation(content, t.newest); err != nil {
				note("%s: %v", name, err)
			}
		case strings.HasSuffix(name, ".json") && name != "bundle.json" && name != "trust/dossier.trust.json" && name != "log/proofs.json":
			s, err := check(name, files, t, places)
			if err != nil {
				note("%s: %v", name, err)
			}
			lying[s.digest] = true
		}
	}
	for digest, e := range places {
		if !lying[digest] {
			note("log: entry %d is of a statement that is not here", e.n)
		}
	}
	if !bytes.Equal(files["SHA256SUMS"], sums(files)) {
		note("SHA256SUMS: other sums")
	}
	sort.Strings(faults)
	return faults
}

func manifest(files map[string][]byte, t trust, machines keyring) []string {
	e, err := parseEnvelope(files["bundle.json"])
	if err != nil {
		return []string{err.Error()}
	}
	s, err := parseStatement(e.payload)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	if !isCanonical(e.asJSON(), files["bundle.json"]) {
		faults = append(faults, "not canonical")
	}
	if s.word != "bundle" || s.project != t.project {
		faults = append(faults, "no list of this project")
	}
	signers := e.signers(machines)
	if len(signers) != len(e.machines)+len(e.people) {
		faults = append(faults, "a signature does not verify")
	}
	about, err := s.predicate.text("dossier")
	made, err2 := s.predicate.text("made_at")
	if err := errors.Join(err, err2); err != nil {
		return append(faults, err.Error())
	}
	if !t.newest.anyStood(signers, made) {
		faults = append(faults, "made when no key that signed it stood any more")
	}
	if e, err := parseEnvelope(files["dossier.json"]); err == nil && files["dossier.json"] != nil && digestOf(e.payload) != about {
		faults = append(faults, "of another dossier than the one in it")
	}
	if len(s.subjects) != s.count || s.count != len(files)-1 {
		faults = append(faults, "other files than listed")
	}
	for name, digest := range s.subjects {
		if content, ok := files[name]; !ok || fmt.Sprintf("%x", sha256.Sum256(content)) != digest {
			faults = append(faults, name+" is not as listed")
		}
	}
	return faults
}

func checkAttestation(raw []byte, newest version) error {
	e, err := parseEnvelope(raw)
	if err != nil {
		return err
	}
	if len(newest.machinesAmong(e)) == 0 {
		return errors.New("no signature of a known machine verifies")
	}
	return checkForeign(e.payload)
}

// logPlaces are the entries that are proven to be in the log, by the name of their statement.
func logPlaces(files map[string][]byte, project string, machines keyring) (map[string]entry, error) {
	raw := files["log/checkpoint"]
	c, err := parseCheckpoint(raw)
	if err != nil {
		return nil, err
	}
	if c.origin != "release-dossier/"+strings.TrimPrefix(project, "sha256:")[:16] {
		return nil, errors.New("the checkpoint is of another log")
	}
	signed := false
	for _, k := range machines {
		if k.kind == "ssh-ed25519" || k.kind == "ecdsa-sha2-nistp256" {
			vkey, err := noteKey(c.origin, k)
			if err != nil {
				return nil, err
			}
			ok, err := signedBy(raw, vkey)
			signed = signed || err == nil && ok
		}
	}
	if !signed {
		return nil, errors.New("the checkpoint is not signed by a known machine")
	}
	proofs, err := parseObject(files["log/proofs.json"])
	if err != nil {
		return nil, err
	}
	entries, err := proofs.list("entries", false)
	size, err2 := proofs.whole("size")
	if err := errors.Join(err, err2); err != nil || size != c.size {
		return nil, fmt.Errorf("proofs for %d of %d entries: %v", size, c.size, err)
	}
	out, again := map[string]entry{}, []any{}
	for _, item := range entries {
		o, ok := item.(object)
		if !ok {
			return nil, errors.New("no proof")
		}
		line, err := o.text("line")
		n, err2 := o.whole("n")
		texts, err3 := o.texts("proof", false)
		if err := errors.Join(err, err2, err3); err != nil {
			return nil, err
		}
		path, err := hashes(texts, standard)
		if err != nil {
			return nil, err
		}
		e, err := parseEntry([]byte(line))
		if err != nil {
			return nil, err
		}
		if e.n != n || !included(n, c, []byte(line), path) {
			return nil, fmt.Errorf("entry %d is not in the log", n)
		}
		out[e.digest] = e
		again = append(again, objectOf("line", line, "n", o.get("n"), "proof", o.get("proof")))
	}
	if !isCanonical(objectOf("entries", again, "size", proofs.get("size")), files["log/proofs.json"]) {
		return nil, errors.New("proofs: not canonical, or more than proofs")
	}
	return out, nil
}

func noteKey(name string, k publicKey) (string, error) {
	body := append([]byte{1}, k.blob[len(k.blob)-32:]...)
	sum := sha256.Sum256(append([]byte(name+"\n"), body...))
	if k.kind != "ssh-ed25519" {
		spki, err := x509.MarshalPKIXPublicKey(k.key)
		if err != nil {
			return "", err
		}
		body, sum = append([]byte{2}, spki...), sha256.Sum256(spki)
	}
	return fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(body)), nil
}

func check(name string, files map[string][]byte, t trust, places map[string]entry) (statement, error) {
	e, err := parseEnvelope(files[name])
	if err != nil {
		return statement{}, err
	}
	s, err := parseStatement(e.payload)
	if err != nil {
		return s, err
	}
	if s.project != t.project {
		return s, errors.New("of another project")
	}
	dir, _, nested := strings.Cut(name, "/")
	due := strings.TrimSuffix(name, ".json")
	if nested {
		if due = folders[dir]; due == "" {
			due = dir
		}
	}
	if s.word != due && !(dir == "evidence" && s.word == "started") {
		return s, fmt.Errorf("a %s", s.word)
	}
	signers := t.newest.machinesAmong(e)
	if len(signers) == 0 {
		return s, errors.New("no signature of a known machine verifies")
	}
	if at, ok := places[s.digest]; ok && !t.newest.anyStood(signers, at.at) {
		return s, errors.New("recorded when no machine's key that signed it stood any more")
	}
	if at, ok := places[s.digest]; !ok || at.envelope != digestOf(files[name]) || at.word != s.word {
		return s, errors.New("no proof that it is in the log")
	}
	stem := strings.TrimSuffix(name, ".json")
	for i, p := range e.people {
		beside := stem
		if i > 0 {
			beside = fmt.Sprintf("%s-%d", stem, i+1)
		}
		if sig, ok := files[beside+".sig"]; ok && p.kind == "sshsig" {
			if !bytes.Equal(sig, p.raw) || !bytes.Equal(files[beside+".pae"], pae(payloadType, e.payload)) {
				return s, errors.New("another signature lies beside it")
			}
		}
	}
	return s, nil
}

func sums(files map[string][]byte) []byte {
	var names []string
	for name := range files {
		if name != "bundle.json" && name != "SHA256SUMS" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var out bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	return out.Bytes()
}
