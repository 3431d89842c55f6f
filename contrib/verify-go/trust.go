package main

// The trust document: a chain of versions, each signed by the threshold of the one before and by its own, counted in people.

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
)

type holder struct {
	id    string
	keys  []publicKey
	root  bool
	human bool
}

type revocation struct{ key, at, reason string }

type version struct {
	number    int64
	previous  string
	threshold int64
	holders   []holder
	revoked   []revocation
}

type trust struct {
	project, digest string
	newest          version
}

func (v version) keyring() keyring {
	out := keyring{}
	for _, h := range v.holders {
		for _, k := range h.keys {
			out[k.id()] = k
		}
	}
	return out
}

// machines are the keys that record statements and sign heads of the log; a person's key signs that person's word.
func (v version) machines() keyring {
	out := keyring{}
	for _, h := range v.holders {
		for _, k := range h.keys {
			if !h.human {
				out[k.id()] = k
			}
		}
	}
	return out
}

// machinesAmong the signers of an envelope. People's keys count in how many are tried.
func (v version) machinesAmong(e envelope) map[string]bool {
	out, machines := e.signers(v.keyring()), v.machines()
	maps.DeleteFunc(out, func(id string, _ bool) bool { _, is := machines[id]; return !is })
	return out
}

// stood: the key was not yet revoked at a moment, which counts to the microsecond.
func (v version) stood(id, at string) bool {
	for _, r := range v.revoked {
		if r.key == id {
			until, _ := time.Parse(time.RFC3339, r.at)
			if t, err := time.Parse(time.RFC3339, at); !isMoment(at) || err != nil || !t.Truncate(time.Microsecond).Before(until.Truncate(time.Microsecond)) {
				return false
			}
		}
	}
	return true
}

// anyStood: one of the keys had not yet been revoked at a moment.
func (v version) anyStood(keys map[string]bool, at string) bool {
	for id := range keys {
		if v.stood(id, at) {
			return true
		}
	}
	return false
}

func (v version) isRevoked(id string) bool {
	return slices.ContainsFunc(v.revoked, func(r revocation) bool { return r.key == id })
}

// met: enough people of role trust-root signed, by keys neither this version nor the newer one revokes.
func (v version) met(e envelope, newer version) error {
	signed, n := e.signers(v.keyring()), int64(0)
	for _, h := range v.holders {
		if h.human && h.root && slices.ContainsFunc(h.keys, func(k publicKey) bool {
			return signed[k.id()] && !v.isRevoked(k.id()) && !newer.isRevoked(k.id())
		}) {
			n++
		}
	}
	if n < v.threshold {
		return fmt.Errorf("%d of %d people signed version %d", n, v.threshold, newer.number)
	}
	return nil
}

// parseChain reads a chain, of this project where one is named: another's is not verified, by keys of whoever made it.
func parseChain(raw []byte, project string) (trust, error) {
	var out trust
	v, err := parseObject(raw)
	if err != nil {
		return out, err
	}
	versions, err := v.list("versions", false)
	if err != nil || len(versions) == 0 || len(versions) > 1000 {
		return out, errors.New("no list of versions")
	}
	for i, item := range versions {
		o, ok := item.(object)
		if !ok {
			return out, errors.New("no envelope")
		}
		e, err := envelopeOf(o)
		if err != nil {
			return out, err
		}
		s, err := parseStatement(e.payload)
		if err != nil {
			return out, err
		}
		ver, err := parseVersion(s)
		if err != nil {
			return out, err
		}
		if i == 0 {
			if ver.number != 1 || ver.previous != "" || s.project != "self" {
				return out, errors.New("the first version does not found a project")
			}
			if out.project = s.digest; project != "" && project != s.digest {
				return out, errors.New("of another project")
			}
		} else {
			if ver.number != out.newest.number+1 || ver.previous != out.digest || s.project != out.project {
				return out, fmt.Errorf("version %d does not follow", ver.number)
			}
			for _, r := range out.newest.revoked {
				if !slices.Contains(ver.revoked, r) {
					return out, fmt.Errorf("the revocation of %s is gone", r.key)
				}
			}
			if err := out.newest.met(e, ver); err != nil {
				return out, err
			}
		}
		if err := ver.met(e, ver); err != nil {
			return out, err
		}
		out.newest, out.digest = ver, s.digest
	}
	return out, nil
}

// plain is a name of a person or machine; it becomes a line of an allowed-signers file, where `*` is everybody.
var plain = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\z`)

var rfc3339 = regexp.MustCompile(
	`\A[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\z`)

// isMoment: RFC 3339 with an offset, in the years 1 to 9999, as written and in UTC. time.Parse takes a comma for a point.
func isMoment(text string) bool {
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && rfc3339.MatchString(text) && at.Year() >= 1 && at.UTC().Year() >= 1 && at.UTC().Year() <= 9999
}

func parseVersion(s statement) (version, error) {
	var out version
	if s.word != "trust" {
		return out, errors.New("no trust statement")
	}
	p := s.predicate
	var err error
	if out.number, err = p.whole("version"); err != nil {
		return out, err
	}
	if out.threshold, err = p.whole("threshold"); err != nil {
		return out, err
	}
	before, there := p.values["previous"]
	if before != nil {
		out.previous, _ = before.(string)
	}
	if !there || before != nil && out.previous == "" {
		return out, errors.New("previous: no digest")
	}
	made, err := p.text("created_at")
	_, err2 := p.text("project_name")
	if err := errors.Join(err, err2); err != nil || !isMoment(made) {
		return out, fmt.Errorf("created_at %q, or no project_name: %v", made, err)
	}
	seen, names := map[string]bool{}, map[string]bool{}
	for _, field := range []string{"people", "producers"} {
		list, err := p.list(field, false)
		if err != nil {
			return out, err
		}
		for _, item := range list {
			h, err := parseHolder(item, field == "people")
			if err != nil {
				return out, err
			}
			if names[h.id] {
				return out, fmt.Errorf("%s twice", h.id)
			}
			names[h.id] = true
			for _, k := range h.keys {
				if seen[k.id()] {
					return out, fmt.Errorf("%s twice", k.id())
				}
				seen[k.id()] = true
			}
			out.holders = append(out.holders, h)
		}
	}
	list, err := p.list("revocations", false)
	if err != nil {
		return out, err
	}
	for _, item := range list {
		o, ok := item.(object)
		if !ok {
			return out, errors.New("no revocation")
		}
		key, err := o.text("key")
		at, err2 := o.text("at")
		reason, err3 := o.text("reason")
		if err := errors.Join(err, err2, err3); err != nil {
			return out, err
		}
		if !isMoment(at) {
			return out, fmt.Errorf("the revocation of %s: no moment: %q", key, at)
		}
		out.revoked = append(out.revoked, revocation{key, at, reason})
	}
	return out, out.reachable()
}

func (v version) reachable() error {
	able := int64(0)
	for _, h := range v.holders {
		if h.human && h.root && slices.ContainsFunc(h.keys, func(k publicKey) bool { return !v.isRevoked(k.id()) }) {
			able++
		}
	}
	if v.threshold < 1 || v.threshold > able {
		return fmt.Errorf("threshold %d of %d", v.threshold, able)
	}
	return nil
}

func parseHolder(item any, human bool) (holder, error) {
	o, ok := item.(object)
	if !ok {
		return holder{}, errors.New("no holder")
	}
	id, err := o.text("id")
	keys, err2 := o.list("keys", false)
	roles, err3 := o.texts("roles", !human)
	err4 := ofItsKind(o, human)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return holder{}, err
	}
	if !plain.MatchString(id) {
		return holder{}, fmt.Errorf("no plain name: %q", id)
	}
	out := holder{id: id, human: human, root: slices.Contains(roles, "trust-root")}
	for _, item := range keys {
		k, ok := item.(object)
		if !ok {
			return out, errors.New("no key")
		}
		line, err := k.text("public")
		name, err2 := k.text("id")
		_, err3 := k.maybe("credential")
		if err := errors.Join(err, err2, err3); err != nil {
			return out, err
		}
		public, err := parsePublic(line)
		if err != nil {
			return out, err
		}
		if public.id() != name {
			return out, fmt.Errorf("%s is %s", name, public.id())
		}
		out.keys = append(out.keys, public)
	}
	return out, nil
}

// ofItsKind: people have a name and may have addresses, machines may have kinds.
func ofItsKind(o object, human bool) error {
	if !human {
		_, err := o.texts("kinds", true)
		return err
	}
	_, err := o.text("name")
	_, err2 := o.texts("emails", true)
	return errors.Join(err, err2)
}
