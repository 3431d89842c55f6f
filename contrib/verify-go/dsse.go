package main

// Keys, DSSE envelopes with SSH signatures beside them, in-toto statements.

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

const (
	payloadType    = "application/vnd.in-toto+json"
	statementType  = "https://in-toto.io/Statement/v1"
	olderStatement = "https://in-toto.io/Statement/v0.1"
	predicateBase  = "https://w3id.org/release-dossier/"
	namespace      = "release-dossier"
	armorBytesMax  = 16 * 1024
	triesMax       = 256 // signatures without a key id times known keys
)

var words = []string{
	"trust", "change", "started", "evidence", "dossier", "approval", "rejection", "withdrawal", "waiver", "decision", "release",
	"deployment", "posture", "bundle", "erasure",
}

var siteName = regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\z`)

type publicKey struct {
	kind string
	blob []byte
	key  crypto.PublicKey
	site string // of a passkey: where it was made
}

func (k publicKey) id() string {
	sum := sha256.Sum256(k.blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// parsePublic reads `type base64`.
func parsePublic(line string) (publicKey, error) {
	kind, text, found := strings.Cut(line, " ")
	blob, err := standard(text)
	if !found || err != nil {
		return publicKey{}, errors.New("no public key")
	}
	k, err := parseBlob(blob)
	if err == nil && k.kind != kind {
		err = errors.New("two types")
	}
	return k, err
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) text() []byte {
	head := r.take(4)
	if r.bad {
		return nil
	}
	return r.take(int(binary.BigEndian.Uint32(head)))
}

func (r *reader) number() *big.Int {
	raw := r.text()
	if len(raw) > 0 && (raw[0]&0x80 != 0 || raw[0] == 0 && (len(raw) == 1 || raw[1]&0x80 == 0)) {
		r.bad = true
	}
	return new(big.Int).SetBytes(raw)
}

func (r *reader) end() bool { return !r.bad && len(r.b) == 0 }

func parseBlob(blob []byte) (publicKey, error) {
	r := &reader{b: blob}
	kind := string(r.text())
	var key crypto.PublicKey
	site := ""
	switch kind {
	case "ssh-ed25519", "sk-ssh-ed25519@openssh.com":
		point := r.text()
		if len(point) != ed25519.PublicKeySize {
			return publicKey{}, errors.New("no Ed25519 key")
		}
		key = ed25519.PublicKey(point)
	case "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "sk-ecdsa-sha2-nistp256@openssh.com":
		curve, on := elliptic.P256(), ecdh.P256()
		if strings.HasSuffix(kind, "384") {
			curve, on = elliptic.P384(), ecdh.P384()
		}
		name, point := string(r.text()), r.text()
		if strings.TrimSuffix(strings.TrimPrefix(kind, "sk-"), "@openssh.com") != "ecdsa-sha2-"+name {
			return publicKey{}, errors.New("another curve")
		}
		if _, err := on.NewPublicKey(point); err != nil { // uncompressed, and on the curve
			return publicKey{}, err
		}
		half := (len(point) - 1) / 2
		key = &ecdsa.PublicKey{Curve: curve, X: new(big.Int).SetBytes(point[1 : 1+half]), Y: new(big.Int).SetBytes(point[1+half:])}
	case "ssh-rsa":
		e, n := r.number(), r.number()
		if n.BitLen() < 2048 || n.BitLen() > 16384 || !e.IsInt64() || e.Int64() < 65537 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
			return publicKey{}, errors.New("an RSA key that is not supported")
		}
		key = &rsa.PublicKey{N: n, E: int(e.Int64())}
	default:
		return publicKey{}, fmt.Errorf("key type %q", kind)
	}
	if strings.HasPrefix(kind, "sk-") {
		if site = string(r.text()); len(site) > 253 || !siteName.MatchString(site) {
			return publicKey{}, errors.New("no passkey of a site")
		}
	}
	if !r.end() {
		return publicKey{}, errors.New("no public key")
	}
	return publicKey{kind, blob, key, site}, nil
}

// verifies is about DSSE signatures: Ed25519; ECDSA in DER or as a pair, with the curve's hash; RSA-PSS.
func (k publicKey) verifies(signature, message []byte) bool {
	if k.site != "" { // a passkey signs assertions and nothing else
		return false
	}
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		return verifies25519(key, message, signature)
	case *ecdsa.PublicKey:
		digest := k.hash(message)
		half := key.Params().BitSize / 8
		if ecdsa.VerifyASN1(key, digest, signature) {
			return true
		}
		return len(signature) == 2*half &&
			ecdsa.Verify(key, digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	case *rsa.PublicKey:
		digest := sha256.Sum256(message)
		for _, salt := range []int{32, (key.N.BitLen()+6)/8 - 34} {
			if rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: salt}) == nil {
				return true
			}
		}
	}
	return false
}

// smallOrder are the points, without the sign of x, for which anybody can make a signature: those of order 1 to 8, three of them spelled
// in two ways.
var smallOrder = [][]byte{
	make([]byte, 32), append([]byte{1}, make([]byte, 31)...), unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
	unhex("ec" + strings.Repeat("ff", 30) + "7f"), unhex("ed" + strings.Repeat("ff", 30) + "7f"), unhex("ee" + strings.Repeat("ff", 30) + "7f"),
}

func unhex(text string) []byte {
	raw, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return raw
}

func weak(point []byte) bool {
	y := bytes.Clone(point)
	y[31] &= 0x7f
	return slices.ContainsFunc(smallOrder, func(p []byte) bool { return bytes.Equal(p, y) })
}

// verifies25519 refuses what libsodium does: points of small order, and a key in another spelling than its only one (y below 2^255-19).
func verifies25519(key ed25519.PublicKey, message, signature []byte) bool {
	if len(signature) != ed25519.SignatureSize || weak(key) || weak(signature[:32]) {
		return false
	}
	spelled := key[31]&0x7f != 0x7f || key[0] < 0xed || slices.ContainsFunc(key[1:31], func(b byte) bool { return b != 0xff })
	return spelled && ed25519.Verify(key, message, signature)
}

func (k publicKey) hash(message []byte) []byte {
	if strings.HasSuffix(k.kind, "384") {
		sum := sha512.Sum384(message)
		return sum[:]
	}
	sum := sha256.Sum256(message)
	return sum[:]
}

// verifiesSSH is about the signature blob inside an SSH signature.
func (k publicKey) verifiesSSH(blob, signed []byte) bool {
	if k.site != "" {
		return false
	}
	r := &reader{b: blob}
	algorithm, signature := string(r.text()), r.text()
	if !r.end() {
		return false
	}
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		return algorithm == k.kind && verifies25519(key, signed, signature)
	case *ecdsa.PublicKey:
		pair := &reader{b: signature}
		x, y := pair.number(), pair.number()
		return algorithm == k.kind && pair.end() && ecdsa.Verify(key, k.hash(signed), x, y)
	case *rsa.PublicKey:
		switch algorithm {
		case "rsa-sha2-256":
			sum := sha256.Sum256(signed)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
		case "rsa-sha2-512":
			sum := sha512.Sum512(signed)
			return rsa.VerifyPKCS1v15(key, crypto.SHA512, sum[:], signature) == nil
		}
	}
	return false
}

type keyring map[string]publicKey

func newKeyring(lines []string) (keyring, error) {
	out := keyring{}
	for _, line := range lines {
		k, err := parsePublic(line)
		if err != nil {
			return nil, err
		}
		out[k.id()] = k
	}
	return out, nil
}

func pae(kind string, payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(kind), kind, len(payload)), payload...)
}

type signature struct {
	kind, keyid string
	raw         []byte
}

type envelope struct {
	payload  []byte
	machines []signature
	people   []signature
}

// asJSON is the envelope as the one object that is written of it: known fields, the standard alphabet.
func (e envelope) asJSON() object {
	machines, people := []any{}, []any{}
	for _, m := range e.machines {
		machines = append(machines, objectOf("keyid", m.keyid, "sig", base64.StdEncoding.EncodeToString(m.raw)))
	}
	for _, p := range e.people {
		people = append(people, objectOf("type", p.kind, "keyid", p.keyid, "sig", string(p.raw)))
	}
	pairs := []any{"payload", base64.StdEncoding.EncodeToString(e.payload), "payloadType", payloadType, "signatures", machines}
	if len(people) > 0 {
		pairs = append(pairs, "typedSignatures", people)
	}
	return objectOf(pairs...)
}

// spelled reads base64 of one alphabet in its only spelling: Go's decoder passes over line ends.
func spelled(text string, alphabet *base64.Encoding) ([]byte, error) {
	raw, err := alphabet.Strict().DecodeString(text)
	if err == nil && alphabet.EncodeToString(raw) != text {
		err = errors.New("another spelling of base64")
	}
	return raw, err
}

func standard(text string) ([]byte, error) { return spelled(text, base64.StdEncoding) }

func decode(text string) ([]byte, error) {
	if raw, err := standard(text); err == nil {
		return raw, nil
	}
	return spelled(text, base64.URLEncoding)
}

func parseEnvelope(raw []byte) (envelope, error) {
	v, err := parseObject(raw)
	if err != nil {
		return envelope{}, err
	}
	return envelopeOf(v)
}

func envelopeOf(v object) (envelope, error) {
	var out envelope
	text, err := v.text("payload")
	kind, err2 := v.text("payloadType")
	machines, err3 := v.list("signatures", false)
	people, err4 := v.list("typedSignatures", true)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return out, err
	}
	if kind != payloadType || len(machines) == 0 || len(machines) > 100 || len(people) > 100 {
		return out, errors.New("another payload type, or no or too many signatures")
	}
	if out.payload, err = decode(text); err != nil {
		return out, err
	}
	for _, m := range machines {
		o, ok := m.(object)
		if !ok {
			return out, errors.New("no signature")
		}
		sig, err := o.text("sig")
		id, err2 := o.maybe("keyid")
		if err := errors.Join(err, err2); err != nil {
			return out, err
		}
		raw, err := decode(sig)
		if err != nil {
			return out, err
		}
		out.machines = append(out.machines, signature{keyid: id, raw: raw})
	}
	for _, p := range people {
		o, ok := p.(object)
		if !ok {
			return out, errors.New("no signature")
		}
		kind, err := o.text("type")
		id, err2 := o.text("keyid")
		sig, err3 := o.text("sig")
		if err := errors.Join(err, err2, err3); err != nil {
			return out, err
		}
		out.people = append(out.people, signature{kind, id, []byte(sig)})
	}
	return out, nil
}

// signers are the ids of the known keys that really signed. A key id is a hint which to try; none means any, up to so many tries.
func (e envelope) signers(known keyring) map[string]bool {
	message := pae(payloadType, e.payload)
	out, nameless := map[string]bool{}, 0
	for _, s := range e.machines {
		if s.keyid == "" {
			nameless++
		}
	}
	for _, s := range e.machines {
		for id, k := range known {
			if (s.keyid == "" && nameless*len(known) <= triesMax || s.keyid == id) && k.verifies(s.raw, message) {
				out[id] = true
			}
		}
	}
	for _, s := range e.people {
		k, ok := known[s.keyid]
		ssh := ok && s.kind == "sshsig" && sshSigned(string(s.raw), message, k)
		if ssh || ok && s.kind == "webauthn" && signedByPasskey(s.raw, message, k) {
			out[s.keyid] = true
		}
	}
	return out
}

// sshSigned is `ssh-keygen -Y verify` for one key and our namespace.
func sshSigned(armored string, message []byte, k publicKey) bool {
	lines := strings.Split(strings.TrimSuffix(armored, "\n"), "\n")
	if len(armored) > armorBytesMax || len(lines) < 3 || lines[0] != "-----BEGIN SSH SIGNATURE-----" || lines[len(lines)-1] != "-----END SSH SIGNATURE-----" {
		return false
	}
	text := strings.Join(lines[1:len(lines)-1], "")
	raw, err := standard(text)
	if err != nil {
		return false
	}
	r := &reader{b: raw}
	magic, version := r.take(6), r.take(4)
	blob, space, reserved, hash, sig := r.text(), r.text(), r.text(), r.text(), r.text()
	if !r.end() || string(magic) != "SSHSIG" || !bytes.Equal(version, []byte{0, 0, 0, 1}) || len(reserved) != 0 {
		return false
	}
	var digest []byte
	switch string(hash) {
	case "sha256":
		sum := sha256.Sum256(message)
		digest = sum[:]
	case "sha512":
		sum := sha512.Sum512(message)
		digest = sum[:]
	default:
		return false
	}
	if !bytes.Equal(blob, k.blob) || string(space) != namespace {
		return false
	}
	signed := []byte("SSHSIG")
	for _, part := range [][]byte{[]byte(namespace), nil, hash, digest} {
		signed = binary.BigEndian.AppendUint32(signed, uint32(len(part)))
		signed = append(signed, part...)
	}
	return k.verifiesSSH(sig, signed)
}

type statement struct {
	word, project, digest string
	subjects              map[string]string // name → SHA-256
	count                 int
	predicate             object
}

var predicateType = regexp.MustCompile("^" + regexp.QuoteMeta(predicateBase) + "([a-z]+)/v1$")

func parseStatement(raw []byte) (statement, error) {
	v, err := parseObject(raw)
	if err != nil {
		return statement{}, err
	}
	kind, _ := v.get("_type").(string)
	name, _ := v.get("predicateType").(string)
	named := predicateType.FindStringSubmatch(name)
	if kind != statementType || named == nil || !slices.Contains(words, named[1]) {
		return statement{}, errors.New("no statement of ours")
	}
	out := statement{word: named[1], subjects: map[string]string{}}
	subjects, err := v.list("subject", false)
	if err != nil {
		return out, err
	}
	for _, s := range subjects {
		o, ok := s.(object)
		if !ok {
			return out, errors.New("no subject")
		}
		name, err := o.text("name")
		digests, ok := o.get("digest").(object)
		if err != nil || !ok {
			return out, errors.New("no subject")
		}
		for _, d := range digests.values {
			if _, ok := d.(string); !ok {
				return out, errors.New("no digest")
			}
		}
		out.subjects[name], _ = digests.get("sha256").(string)
		out.count++
	}
	var ok bool
	if out.predicate, ok = v.get("predicate").(object); !ok {
		return out, errors.New("no predicate")
	}
	if out.project, _ = out.predicate.get("project").(string); out.project == "" {
		return out, errors.New("no project")
	}
	if !isCanonical(v, raw) {
		return out, errors.New("not canonical")
	}
	out.digest = digestOf(raw)
	return out, nil
}

// checkForeign asks of a statement of somebody else's that it is an in-toto Statement about something with a digest.
func checkForeign(raw []byte) error {
	v, err := parseObject(raw)
	if err != nil {
		return err
	}
	kind, _ := v.get("_type").(string)
	name, _ := v.get("predicateType").(string)
	subjects, err := v.list("subject", false)
	if err != nil || kind != statementType && kind != olderStatement || name == "" || len(subjects) == 0 {
		return errors.New("no in-toto Statement")
	}
	for _, s := range subjects {
		o, _ := s.(object)
		digests, _ := o.get("digest").(object)
		_, err := o.maybe("name")
		_, err2 := o.maybe("uri")
		_, err3 := o.maybe("content")
		if err := errors.Join(err, err2, err3); err != nil {
			return err
		}
		if len(digests.keys) == 0 {
			return errors.New("a subject without digest")
		}
		for _, algorithm := range digests.keys {
			if _, err := digests.text(algorithm); err != nil {
				return err
			}
		}
	}
	if p, there := v.values["predicate"]; there {
		if _, ok := p.(object); !ok {
			return errors.New("no predicate")
		}
	}
	return nil
}

func digestOf(raw []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(raw)) }
