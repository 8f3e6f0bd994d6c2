package main

import (
	"strings"
	"testing"

	"quietpost/digest"
)

// What of a mail was not kept cannot be replayed, and it is said where it lies and how to have it after all.
func TestAgainSaysWhereTheMailLies(t *testing.T) {
	place := "X-Quietpost-Original: imap://updates@imap.example.com/INBOX;UIDVALIDITY=7/;UID=5 (60 bytes)\r\n"
	for header, want := range map[string]string{place: "move it to another folder and back", place + "Subject: large\r\n\r\n": "above 5 MiB"} {
		_, err := (&doors{}).again(t.Context(), &digest.Receipt{Tool: digest.MailTool, Header: []byte(header)})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "UIDVALIDITY=7/;UID=5") {
			t.Errorf("%v", err)
		}
	}
}
