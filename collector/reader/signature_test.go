package reader

import "testing"

// A signature says nothing new, in a first mail as in an answer; where it is all there is, it stays.
func TestSignatureIsCut(t *testing.T) {
	for body, want := range map[string]string{
		"We take cards.\r\n\r\n-- \r\nAna Lima\r\nProduct\r\n": "We take cards.",
		"-- \r\nAna Lima\r\n": "-- \nAna Lima",
		"News of the week.\r\n_______________________________________________\r\napollo mailing list\r\napollo@lists.example.com\r\n": "News of the week.",
		"News.\r\n\r\nSupport\r\n=======\r\n\r\nAsk on the apollo mailing list.\r\nmailing list members help.\r\n":                    "News.\n\nSupport\n=======\n\nAsk on the apollo mailing list.\nmailing list members help.",
		"CAUTION: This email originated from outside of the organization.\r\n\r\nNews.\r\n":                                           "News.",
		"News.\r\n\r\nThis e-mail is confidential and intended for its recipient only.\r\n":                                           "News.",
		"Warning: the mail relay for external senders is down.\r\n\r\nWe look into it.\r\n":                                           "Warning: the mail relay for external senders is down.\n\nWe look into it.",
		"WARNING: This email comes from an external sender.\r\nBeware.\r\n\r\nNews.\r\n":                                              "News.",
		"Attention: mail to external addresses waits.\r\n\r\nSince nine.\r\n":                                                         "Attention: mail to external addresses waits.\n\nSince nine.",
		"Achtung: Diese E-Mail stammt von einem externen Absender.\r\n\r\nNeues.\r\n":                                                 "Neues.",
		"CAUTION: EXTERNAL EMAIL. Do not click links.\r\n\r\nNews.\r\n":                                                               "News.",
		"[EXTERNAL]\r\n\r\nNews.\r\n":               "News.",
		"one -- two\r\n":                            "one -- two",
		"> quoted, and meant\r\n\r\nin a first\r\n": "> quoted, and meant\n\nin a first",
	} {
		raw := "From: ana@example.com\r\nSubject: Cards\r\n\r\n" + body
		if got := Read([]byte(raw), Options{}).Body; got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}
