package main

// Passkeys: WebAuthn assertions over the SHA-256 of what every signature is over, by keys named for the site they were made on.

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
)

const (
	present, verified, attested, extended = 0x01, 0x04, 0x40, 0x80 // flags of authenticator data (WebAuthn §6.1)
	headBytes                             = 37                     // hash of the site, flags, counter
	assertionBytesMax                     = 8 * 1024
)

var (
	securePage = regexp.MustCompile(`\Ahttps://([a-z0-9.-]+)(:[0-9]{1,5})?\z`)
	localPage  = regexp.MustCompile(`\Ahttp://(localhost)(:[0-9]{1,5})?\z`)
)

// signedByPasskey is about an assertion in its only spelling: canonical JSON of the browser's three values, base64url.
func signedByPasskey(text, message []byte, k publicKey) bool {
	if k.site == "" || len(text) > assertionBytesMax {
		return false
	}
	v, err := parseObject(text)
	if err != nil || len(v.values) != 3 {
		return false
	}
	if !isCanonical(v, text) {
		return false
	}
	parts := make([][]byte, 3)
	for i, name := range []string{"authenticatorData", "clientDataJSON", "signature"} {
		part, err := v.text(name)
		if err != nil {
			return false
		}
		if parts[i], err = spelled(part, base64.RawURLEncoding); err != nil || len(parts[i]) == 0 {
			return false
		}
	}
	data, client, signature := parts[0], parts[1], parts[2]
	if !clientSays(client, message, k.site) || !byAPerson(data, k.site) {
		return false
	}
	sum := sha256.Sum256(client)
	signed := append(bytes.Clone(data), sum[:]...)
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		return verifies25519(key, signed, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(signed)
		return ecdsa.VerifyASN1(key, digest[:], signature)
	}
	return false
}

// clientSays: an assertion, over this challenge, on a page of this site and inside of no other.
func clientSays(client, message []byte, site string) bool {
	v, err := parseObject(client)
	if err != nil {
		return false
	}
	kind, _ := v.get("type").(string)
	challenge, _ := v.get("challenge").(string)
	origin, _ := v.get("origin").(string)
	sum := sha256.Sum256(message)
	if kind != "webauthn.get" || challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return false
	}
	if cross, there := v.values["crossOrigin"]; there && cross != false {
		return false
	}
	if _, there := v.values["topOrigin"]; there {
		return false
	}
	page := securePage.FindStringSubmatch(origin)
	if page == nil && site == "localhost" {
		page = localPage.FindStringSubmatch(origin)
	}
	return page != nil && (page[1] == site || strings.HasSuffix(page[1], "."+site))
}

// byAPerson: authenticator data of this site, a person present and verified, no byte left to choose.
func byAPerson(data []byte, site string) bool {
	sum := sha256.Sum256([]byte(site))
	if len(data) < headBytes || !bytes.Equal(data[:32], sum[:]) {
		return false
	}
	flags := data[32]
	if flags&attested != 0 || (flags&extended != 0) != (len(data) > headBytes) {
		return false
	}
	return flags&present != 0 && flags&verified != 0
}
