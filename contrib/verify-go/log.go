package main

// The transparency log, with Go's own sumdb packages: notes, proofs and tiles of C2SP tlog-tiles.

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type checkpoint struct {
	origin string
	size   int64
	root   tlog.Hash
}

// leafData is what the tree holds of an entry's line: the name of the line where it has a salt, else the line itself.
func leafData(line []byte) []byte {
	if bytes.Contains(line, []byte(`,"salt":"`)) {
		return []byte(digestOf(line))
	}
	return line
}

var sizeLine = regexp.MustCompile(`^(0|[1-9][0-9]{0,18})$`)

// openNote takes a note apart without asking who signed it.
func openNote(raw []byte) (*note.Note, error) {
	_, err := note.Open(raw, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return nil, errors.New("no signed note")
	}
	for _, s := range unverified.Note.UnverifiedSigs {
		if _, err := standard(s.Base64); err != nil {
			return nil, err
		}
	}
	return unverified.Note, nil
}

// parseCheckpoint reads a note without asking who signed it.
func parseCheckpoint(raw []byte) (checkpoint, error) {
	var out checkpoint
	n, err := openNote(raw)
	if err != nil {
		return out, err
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" || !sizeLine.MatchString(lines[1]) {
		return out, errors.New("no checkpoint")
	}
	out.origin = lines[0]
	if out.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return out, err
	}
	root, err := standard(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return out, errors.New("no root")
	}
	copy(out.root[:], root)
	return out, nil
}

// signedBy: whether the holder of a verifier key signed the note, as a log (Ed25519, P-256) or as a witness (cosignature/v1). A line under
// its name that fails spoils the note; note.Open would pass over it behind a good one.
func signedBy(raw []byte, vkey string) (bool, error) {
	verifier, err := verifierOf(vkey)
	if err != nil {
		return false, err
	}
	n, err := openNote(raw)
	if err != nil {
		return false, err
	}
	signed := false
	for _, s := range n.UnverifiedSigs {
		if s.Name == verifier.Name() && s.Hash == verifier.KeyHash() {
			sig, err := standard(s.Base64)
			if err != nil || !verifier.Verify([]byte(n.Text), sig[4:]) {
				return false, err
			}
			signed = true
		}
	}
	return signed, nil
}

func verifierOf(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("no verifier key")
	}
	raw, err := standard(parts[2])
	if err != nil || len(raw) == 0 {
		return nil, errors.New("no verifier key")
	}
	switch raw[0] {
	case 2:
		return newECDSA(parts[0], parts[1], raw[1:])
	case 4:
		if len(raw) != 33 {
			return nil, errors.New("no key of a witness")
		}
		return newCosigner(parts[0], parts[1], raw)
	}
	plain, err := note.NewVerifier(vkey) // kind 1, of which it knows the length
	if err != nil {
		return nil, err
	}
	return noteSigner{plain.Name(), plain.KeyHash(), publicKey{kind: "ssh-ed25519", key: ed25519.PublicKey(raw[1:])}}, nil
}

// noteSigner signs the text itself: an Ed25519 key, or one of kind 2 on P-256, which its SPKI alone names.
type noteSigner struct {
	name string
	hash uint32
	key  publicKey
}

func newECDSA(name, hash string, spki []byte) (note.Verifier, error) {
	sum := sha256.Sum256(spki)
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() || fmt.Sprintf("%x", sum[:4]) != hash {
		return nil, errors.New("no key on P-256 of this hash")
	}
	return noteSigner{name, binary.BigEndian.Uint32(sum[:4]), publicKey{kind: "ecdsa-sha2-nistp256", key: public}}, nil
}

func (s noteSigner) Name() string                       { return s.name }
func (s noteSigner) KeyHash() uint32                    { return s.hash }
func (s noteSigner) Verify(text, signature []byte) bool { return s.key.verifies(signature, text) }

type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(name, hash string, raw []byte) (note.Verifier, error) {
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	if fmt.Sprintf("%x", sum[:4]) != hash {
		return nil, errors.New("another key's hash")
	}
	return cosigner{name, binary.BigEndian.Uint32(sum[:4]), raw[1:]}, nil
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 72 {
		return false
	}
	head := fmt.Appendf(nil, "cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(signature))
	return verifies25519(c.key, append(head, text...), signature[8:])
}

// proves reads a C2SP tlog-proof and asks whether it shows the line where it says.
func proves(raw, line []byte) (bool, error) {
	head, note, cut := bytes.Cut(raw, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !cut || lines[0] != "c2sp.org/tlog-proof@v1" {
		return false, errors.New("no proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		if _, err := standard(lines[0][6:]); err != nil {
			return false, err
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") || !sizeLine.MatchString(lines[0][6:]) {
		return false, errors.New("no index")
	}
	index, err := strconv.ParseInt(lines[0][6:], 10, 64)
	if err != nil {
		return false, err
	}
	path, err := hashes(lines[1:], standard)
	if err != nil {
		return false, err
	}
	c, err := parseCheckpoint(note)
	if err != nil {
		return false, err
	}
	return included(index, c, line, path), nil
}

// entry is a line of the log; its name, the digest of its envelope and its word are what a statement is held against.
type entry struct {
	n                          int64
	at, digest, envelope, word string
}

// parseEntry reads a line that is canonical JSON of the known fields.
func parseEntry(line []byte) (entry, error) {
	var out entry
	o, err := parseObject(line)
	if err != nil {
		return out, err
	}
	if out.n, err = o.whole("n"); err != nil {
		return out, err
	}
	pairs := []any{"n", o.get("n")}
	for _, name := range []string{"at", "change", "digest", "envelope", "key", "prev", "type"} {
		text, err := o.text(name)
		if err != nil {
			return out, err
		}
		pairs = append(pairs, name, text)
	}
	salt, err := o.maybe("salt")
	if err != nil {
		return out, err
	}
	if salt != "" {
		pairs = append(pairs, "salt", salt)
	}
	known := objectOf(pairs...)
	if !isCanonical(known, line) {
		return out, errors.New("another spelling of an entry")
	}
	out.at = known.get("at").(string)
	out.digest, out.envelope, out.word = known.get("digest").(string), known.get("envelope").(string), known.get("type").(string)
	return out, nil
}

func included(index int64, c checkpoint, line []byte, path []tlog.Hash) bool {
	return index < c.size && tlog.CheckRecord(path, c.size, c.root, index, tlog.RecordHash(leafData(line))) == nil
}

func hashes(texts []string, decode func(string) ([]byte, error)) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(texts))
	for i, t := range texts {
		raw, err := decode(t)
		if err != nil || len(raw) != tlog.HashSize {
			return nil, errors.New("no hash")
		}
		copy(out[i][:], raw)
	}
	return out, nil
}

// folder reads tiles of C2SP tlog-tiles, whose paths are those of sumdb without the height.
type folder string

func (f folder) Height() int                         { return 8 }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		raw, err := os.ReadFile(filepath.Join(string(f), strings.Replace(t.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		out[i] = raw
	}
	return out, nil
}

// readLog reads a whole log from its files: the checkpoint's signature, every tile, every entry. It returns how many entries there are.
func readLog(dir, vkey string) (int64, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return 0, err
	}
	if signed, err := signedBy(raw, vkey); err != nil || !signed {
		return 0, fmt.Errorf("the checkpoint is not signed by its key: %v", err)
	}
	c, err := parseCheckpoint(raw)
	if err != nil || c.size == 0 {
		return 0, err
	}
	reader := tlog.TileHashReader(tlog.Tree{N: c.size, Hash: c.root}, folder(dir))
	indexes := make([]int64, c.size)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	leaves, err := reader.ReadHashes(indexes) // authenticates every tile against the checkpoint's root
	if err != nil {
		return 0, err
	}
	n := int64(0)
	for at := int64(0); at < c.size; at += 256 {
		width := min(256, c.size-at)
		tile := tlog.Tile{H: 8, L: 0, N: at / 256, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return 0, err
		}
		r := &bundleReader{bundle}
		for range width {
			entry, err := r.next()
			if err != nil || tlog.RecordHash(entry) != leaves[n] {
				return 0, fmt.Errorf("entry %d is not the tree's", n)
			}
			n++
		}
		if len(r.b) != 0 {
			return 0, fmt.Errorf("%s: more than %d entries", path, width)
		}
	}
	return n, nil
}

type bundleReader struct{ b []byte }

func (r *bundleReader) next() ([]byte, error) {
	if len(r.b) < 2 {
		return nil, errors.New("no entry")
	}
	n := int(binary.BigEndian.Uint16(r.b))
	if len(r.b) < 2+n {
		return nil, errors.New("no entry")
	}
	out := r.b[2 : 2+n]
	r.b = r.b[2+n:]
	return out, nil
}
