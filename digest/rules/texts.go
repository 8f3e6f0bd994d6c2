package rules

import (
	"encoding/json"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// decimals are how many digits of a currency stand behind the point (ISO 4217), where that is not two.
var decimals = map[string]int{"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "JPY": 0, "KMF": 0, "KRW": 0, "MGA": 0, "PYG": 0, "RWF": 0,
	"VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}

// money is an amount in a currency's smallest unit (cents) as people write it; "" if it is no number.
func money(args ...any) (any, error) {
	amount, ok := number(args[0])
	if s, text := args[0].(string); text {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		amount, ok = f, err == nil
	}
	if !ok || math.IsNaN(amount) || math.Abs(amount) > 1<<53 {
		return "", nil
	}
	currency := strings.ToUpper(str(args[1]))
	digits, other := decimals[currency]
	if !other {
		digits = 2
	}
	return strings.TrimSpace(strconv.FormatFloat(amount/math.Pow10(digits), 'f', digits, 64) + " " + currency), nil
}

// htmlTag finds the tags that senders put into texts; what else stands in angle brackets is left alone.
var htmlTag = regexp.MustCompile(`(?i)</?(?:a|b|br|blockquote|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|s|span|strong|table|tbody|td|th|tr|u|ul)(?:\s[^<>]*)?/?>`)

// hidden are elements whose text is not for reading.
var hidden = regexp.MustCompile(`(?is)<(?:style|script|head)(?:\s[^<>]*)?>.*?</(?:style|script|head)>`)

var emptyLines = regexp.MustCompile(`\n\s*\n\s*`)

func plain(args ...any) (any, error) { return capped(Plain(str(args[0]))), nil }

// Plain is the text of a field that holds HTML; other text is returned as it is, with its entities read.
func Plain(s string) string {
	switch {
	case !strings.ContainsAny(s, "<&"):
		return s
	case !htmlTag.MatchString(s):
		if strings.Contains(s, "&#") || strings.Contains(s, "&amp;") || strings.Contains(s, "&quot;") {
			s = html.UnescapeString(s)
		}
		return s
	}
	s = hidden.ReplaceAllString(s, "")
	s = htmlTag.ReplaceAllStringFunc(s, func(t string) string {
		name, _, _ := strings.Cut(strings.ToLower(strings.Trim(t, "</> ")), " ")
		switch name {
		case "br", "p", "div", "tr", "li", "blockquote", "hr", "pre", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6":
			return "\n"
		}
		return ""
	})
	return strings.TrimSpace(emptyLines.ReplaceAllString(html.UnescapeString(s), "\n\n"))
}

// unpack reads the JSON that some tools put into a text of their payload.
func unpack(args ...any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		return args[0], nil
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return nil, nil
	}
	return Value(v), nil
}
