package rules

import "testing"

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		amount, currency any
		want             string
	}{
		{2000, "eur", "20.00 EUR"}, {"4200", "USD", "42.00 USD"}, {5, "eur", "0.05 EUR"}, {-150, "eur", "-1.50 EUR"}, {1500, "jpy", "1500 JPY"},
		{1234, "KWD", "1.234 KWD"}, {99.0, "eur", "0.99 EUR"}, {500, "", "5.00"}, {500, nil, "5.00"}, {0, "eur", "0.00 EUR"},
		{nil, "eur", ""}, {"", "eur", ""}, {"free", "eur", ""}, {"NaN", "eur", ""}, {1e300, "eur", ""}, {map[string]any{}, "eur", ""},
	} {
		got, err := money(c.amount, c.currency)
		if err != nil || got != c.want {
			t.Errorf("money(%v, %v) = %q, %v; want %q", c.amount, c.currency, got, err, c.want)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"no tags, 1 < 2":                                 "no tags, 1 < 2",
		"<p>Out of <b>memory</b></p>":                    "Out of memory",
		`<div class="x">one<br/>two</div>`:               "one\ntwo",
		"<p>a</p><p>b</p>":                               "a\n\nb",
		"<style>p {}</style><p>seen</p>":                 "seen",
		"<p>5 &lt; 6 &amp; more</p>":                     "5 < 6 & more",
		"Tom &amp; Ana":                                  "Tom & Ana",
		"List<String> stays":                             "List<String> stays",
		"<script>alert(1)</script><p>&lt;b&gt; here</p>": "<b> here",
	} {
		if got, err := plain(in); err != nil || got != want {
			t.Errorf("plain(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}
