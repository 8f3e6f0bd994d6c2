package tools

import (
	"regexp"
	"slices"
	"strings"
)

// What deliveries of shops and banks are about, and under what names they keep how much it was.
var (
	moneyThings = fieldSet("order", "invoice", "payment", "transaction", "charge", "refund", "donation", "subscription", "payout", "transfer",
		"expense", "deal", "sale", "purchase", "checkout", "bill", "quote", "estimate", "registration", "booking", "pledge", "contribution", "dispute", "chargeback",
		"gift", "deposit", "withdrawal", "credit", "receipt", "opportunity", "renewal")
	sumNames = names("grandtotal", "totalamount", "totalprice", "ordertotal", "amountpaid", "amountdue", "amount", "total", "totalamt", "price",
		"value", "amountcents", "amountincents", "totalcents", "totalamountcents", "pricecents").ending(`tax|discount|ship|fee|refund|sub|balance|net|previous|unit`,
		"amount", "total", "amountcents")
	currencies = names("currency", "currencycode", "isocurrencycode", "currencyiso", "totalcurrency", "amountcurrency")
	decimal    = regexp.MustCompile(`^-?[0-9]{1,12}\.[0-9]{1,4}$`)
	wholeSum   = regexp.MustCompile(`^-?[0-9]{1,12}$`)
	isCurrency = regexp.MustCompile(`^[A-Za-z]{3}$`)
)

// amount is how much money a delivery is about, "" where it does not say so plainly: of whole numbers nobody knows whether
// they are of cents, unless their name says so.
func (s *search) amount(thing []string) string {
	if !slices.ContainsFunc(thing, func(w string) bool { return moneyThings[w] }) {
		return ""
	}
	of := ""
	sum, _ := s.best(&sumNames, func(p *place) string {
		if p.aside || p.depth > 4 || p.far > 0 {
			return ""
		}
		v, code := p.scalar(), ""
		if p.object() != nil {
			v, code = p.str("value", "amount"), p.str("currency", "currency_code", "currencyCode")
		} else if p.up >= 0 {
			code = currencyIn(s.places[p.up].node)
		}
		found := ""
		switch {
		case decimal.MatchString(v):
			whole, cents, _ := strings.Cut(v, ".")
			found = whole + "." + (cents + "0")[:max(2, len(strings.TrimRight(cents, "0")))]
		case wholeSum.MatchString(v) && strings.HasSuffix(p.key, "cents") && len(v) > 2:
			found = v[:len(v)-2] + "." + v[len(v)-2:]
		default:
			return ""
		}
		of = code
		return strings.TrimPrefix(found, "-")
	})
	if of == "" {
		of = s.text(&currencies, 3)
	}
	if sum == "" || !isCurrency.MatchString(of) {
		return sum
	}
	return sum + " " + strings.ToUpper(of)
}

// currencyIn is the currency that an object names beside its sums.
func currencyIn(n node) string {
	for _, c := range children(n) {
		if _, ok := currencies.names[c.key]; ok && isCurrency.MatchString(c.scalar()) {
			return c.scalar()
		}
	}
	return ""
}
