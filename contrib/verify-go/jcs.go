package main

// Strict JSON in, RFC 8785 out. What two parsers could understand differently is refused.

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const depthMax = 64

// A JSON value: nil, bool, string, number, []any or object.
type (
	number string
	object struct {
		keys   []string
		values map[string]any
	}
)

// objectOf is the object of these names and values, in turn.
func objectOf(pairs ...any) object {
	o := object{values: map[string]any{}}
	for i := 0; i < len(pairs); i += 2 {
		key := pairs[i].(string)
		o.keys, o.values[key] = append(o.keys, key), pairs[i+1]
	}
	return o
}

func (o object) get(key string) any { return o.values[key] }

// text is a field that must be a string.
func (o object) text(key string) (string, error) {
	s, ok := o.values[key].(string)
	if !ok {
		return "", fmt.Errorf("%s: not a text", key)
	}
	return s, nil
}

// maybe is a field that must be a string where it is there; absent is empty.
func (o object) maybe(key string) (string, error) {
	if _, there := o.values[key]; !there {
		return "", nil
	}
	return o.text(key)
}

// texts is a list of strings.
func (o object) texts(key string, may bool) ([]string, error) {
	list, err := o.list(key, may)
	out := make([]string, len(list))
	for i, item := range list {
		var ok bool
		if out[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("%s: not a list of texts", key)
		}
	}
	return out, err
}

// list is a field that must be an array; absent is none when it may be.
func (o object) list(key string, may bool) ([]any, error) {
	v, there := o.values[key]
	if !there && may {
		return nil, nil
	}
	l, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: not a list", key)
	}
	return l, nil
}

func (o object) whole(key string) (int64, error) {
	n, ok := o.values[key].(number)
	if !ok {
		return 0, fmt.Errorf("%s: not a number", key)
	}
	return strconv.ParseInt(string(n), 10, 64)
}

type parser struct {
	s     []byte
	pos   int
	depth int
}

func parseJSON(raw []byte) (any, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(raw) {
		return nil, errors.New("not UTF-8")
	}
	p := &parser{s: raw}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	p.blank()
	if p.pos != len(p.s) {
		return nil, fmt.Errorf("more at byte %d", p.pos)
	}
	return v, nil
}

func parseObject(raw []byte) (object, error) {
	v, err := parseJSON(raw)
	if err != nil {
		return object{}, err
	}
	o, ok := v.(object)
	if !ok {
		return object{}, errors.New("not an object")
	}
	return o, nil
}

func (p *parser) blank() {
	for p.pos < len(p.s) && strings.IndexByte(" \t\n\r", p.s[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *parser) fault() error { return fmt.Errorf("no JSON at byte %d", p.pos) }

func (p *parser) value() (any, error) {
	p.blank()
	if p.pos >= len(p.s) {
		return nil, p.fault()
	}
	switch c := p.s[p.pos]; {
	case c == '{' || c == '[':
		if p.depth++; p.depth > depthMax {
			return nil, errors.New("too deep")
		}
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object()
		}
		return p.array()
	case c == '"':
		return p.text()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, v := range map[string]any{"true": true, "false": false, "null": nil} {
		if bytes.HasPrefix(p.s[p.pos:], []byte(word)) {
			p.pos += len(word)
			return v, nil
		}
	}
	return nil, p.fault()
}

func (p *parser) eat(c byte) bool {
	p.blank()
	if p.pos < len(p.s) && p.s[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) object() (any, error) {
	p.pos++
	o := object{values: map[string]any{}}
	if p.eat('}') {
		return o, nil
	}
	for {
		p.blank()
		if p.pos >= len(p.s) || p.s[p.pos] != '"' {
			return nil, p.fault()
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		if _, twice := o.values[key]; twice {
			return nil, fmt.Errorf("key %q twice", key)
		}
		if !p.eat(':') {
			return nil, p.fault()
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		o.keys, o.values[key] = append(o.keys, key), v
		if p.eat('}') {
			return o, nil
		}
		if !p.eat(',') {
			return nil, p.fault()
		}
	}
}

func (p *parser) array() (any, error) {
	p.pos++
	out := []any{}
	if p.eat(']') {
		return out, nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		if p.eat(']') {
			return out, nil
		}
		if !p.eat(',') {
			return nil, p.fault()
		}
	}
}

func (p *parser) number() (any, error) {
	start := p.pos
	digits := func() int {
		n := p.pos
		for p.pos < len(p.s) && p.s[p.pos] >= '0' && p.s[p.pos] <= '9' {
			p.pos++
		}
		return p.pos - n
	}
	if p.s[p.pos] == '-' {
		p.pos++
	}
	first := p.pos
	if n := digits(); n == 0 || n > 1 && p.s[first] == '0' {
		return nil, p.fault()
	}
	if p.pos < len(p.s) && p.s[p.pos] == '.' {
		p.pos++
		if digits() == 0 {
			return nil, p.fault()
		}
	}
	if p.pos < len(p.s) && (p.s[p.pos] == 'e' || p.s[p.pos] == 'E') {
		p.pos++
		if p.pos < len(p.s) && (p.s[p.pos] == '+' || p.s[p.pos] == '-') {
			p.pos++
		}
		if digits() == 0 {
			return nil, p.fault()
		}
	}
	token := string(p.s[start:p.pos])
	if strings.ContainsAny(token, ".eE") {
		if f, err := strconv.ParseFloat(token, 64); err != nil && math.IsInf(f, 0) {
			return nil, errors.New("a number beyond a double")
		}
	} else if len(token) > 400 {
		return nil, errors.New("a number of too many digits")
	}
	return number(token), nil
}

func (p *parser) text() (string, error) {
	p.pos++
	var out strings.Builder
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		switch {
		case c == '"':
			p.pos++
			return out.String(), nil
		case c < 0x20:
			return "", p.fault()
		case c != '\\':
			out.WriteByte(c)
			p.pos++
		default:
			if err := p.escape(&out); err != nil {
				return "", err
			}
		}
	}
	return "", p.fault()
}

func (p *parser) escape(out *strings.Builder) error {
	if p.pos+1 >= len(p.s) {
		return p.fault()
	}
	c := p.s[p.pos+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		out.WriteByte("\"\\/\b\f\n\r\t"[i])
		p.pos += 2
		return nil
	}
	r, err := p.unit()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		low, err := p.unit()
		if err != nil {
			return errors.New("a lone surrogate")
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return errors.New("a lone surrogate")
		}
	}
	out.WriteRune(r)
	return nil
}

// unit reads \uXXXX.
func (p *parser) unit() (rune, error) {
	if p.pos+6 > len(p.s) || p.s[p.pos] != '\\' || p.s[p.pos+1] != 'u' {
		return 0, p.fault()
	}
	n, err := strconv.ParseUint(string(p.s[p.pos+2:p.pos+6]), 16, 16)
	if err != nil {
		return 0, p.fault()
	}
	p.pos += 6
	return rune(n), nil
}

// isCanonical: whether raw is what canonical writes of v.
func isCanonical(v any, raw []byte) bool {
	again, err := canonical(v)
	return err == nil && bytes.Equal(again, raw)
}

func canonical(v any) ([]byte, error) {
	var out bytes.Buffer
	if err := write(&out, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func write(out *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case string:
		writeText(out, v)
	case number:
		s, err := es6(string(v))
		if err != nil {
			return err
		}
		out.WriteString(s)
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := write(out, item); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case object:
		keys := append([]string(nil), v.keys...)
		sort.Slice(keys, func(i, j int) bool { return lessUTF16(keys[i], keys[j]) })
		out.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				out.WriteByte(',')
			}
			writeText(out, k)
			out.WriteByte(':')
			if err := write(out, v.values[k]); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	default:
		return fmt.Errorf("no JSON: %T", v)
	}
	return nil
}

func lessUTF16(a, b string) bool {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return len(x) < len(y)
}

func writeText(out *bytes.Buffer, s string) {
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < 0x20:
			if i := strings.IndexByte("\b\f\n\r\t", byte(r)); i >= 0 {
				out.WriteByte('\\')
				out.WriteByte("bfnrt"[i])
			} else {
				fmt.Fprintf(out, `\u%04x`, r)
			}
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}

// es6 is how ECMAScript writes a number. Whole numbers beyond 2^53 are refused: a double would change them.
func es6(token string) (string, error) {
	if !strings.ContainsAny(token, ".eE") {
		n, err := strconv.ParseInt(token, 10, 64)
		if err != nil || n > 1<<53-1 || n < -(1<<53-1) {
			return "", errors.New("a whole number beyond 2^53")
		}
		return strconv.FormatInt(n, 10), nil
	}
	f, err := strconv.ParseFloat(token, 64)
	if err != nil && math.IsInf(f, 0) {
		return "", err
	}
	if f == 0 {
		return "0", nil
	}
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	e, _ := strconv.Atoi(exponent)
	k, n := len(digits), e+1
	switch {
	case k <= n && n <= 21:
		return sign + digits + strings.Repeat("0", n-k), nil
	case 0 < n && n <= 21:
		return sign + digits[:n] + "." + digits[n:], nil
	case -6 < n && n <= 0:
		return sign + "0." + strings.Repeat("0", -n) + digits, nil
	}
	if k > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return fmt.Sprintf("%s%se%+d", sign, digits, n-1), nil
}
