package reader

import (
	"regexp"
	"strings"
)

// Quoted text and signatures are found by the marks that mail programs themselves write, and cut only where they are
// sure; when nothing would be left, nothing is cut.
var (
	// "On Mon, 2 Nov 2026 at 10:00, Ana <ana@example.com> wrote:" as programs write it in English, German, French,
	// Spanish, Italian, Portuguese, Dutch, Swedish, Danish, Norwegian, Polish and Czech.
	attribution = regexp.MustCompile(`(?i)^(` +
		`on\b.{5,}\bwrote|` +
		`(am|im)\b.{5,}\bschrieb\b.{0,120}|.{5,}\bschrieb am\b.{5,}|` +
		`le\b.{5,}\ba écrit|` +
		`el\b.{5,}\bescribió|` +
		`il\b.{5,}\bha scritto|il giorno\b.{5,}\bha scritto|` +
		`(em|a)\b.{5,}\bescreveu|` +
		`op\b.{5,}\bschreef\b.{0,120}|` +
		`(den|på|fre|mån|tis|ons|tors|lör|sön|tir|man|tor|lør|søn)\b.{5,}\b(skrev)\b.{0,120}|` +
		`(w dniu|dnia)\b.{5,}\bnapisał(\(a\)|a)?\b.{0,120}|` +
		`(dne)\b.{5,}\bnapsal(\(a\)|a)?\b.{0,120}` +
		`)\s?:\s*$`)

	// The line above a quoted mail in Outlook and its kin.
	original = regexp.MustCompile(`(?i)^-{2,}\s*(original (message|appointment)|ursprüngliche nachricht|originalnachricht|` +
		`message d'origine|message original|mensaje original|messaggio originale|mensagem original|oorspronkelijk bericht|` +
		`ursprungligt meddelande|oprindelig meddelelse|opprinnelig melding|wiadomość oryginalna|původní zpráva)\s*-{2,}$`)

	// The header block of a quoted mail, a line each: sender first, then date, to and subject in any order.
	blockFrom = regexp.MustCompile(`(?i)^(from|von|de|da|van|från|fra|od|lähettäjä)\s?:\s*\S`)
	blockRest = regexp.MustCompile(`(?i)^(sent|date|to|cc|subject|gesendet|datum|an|betreff|envoyé|à|objet|enviado( el)?|para|` +
		`asunto|inviato|data|a|oggetto|assunto|verzonden|aan|onderwerp|skickat|till|ämne|sendt|til|emne|wysłano|do|temat|` +
		`odesláno|komu|předmět)\s?:`)

	sentFrom = regexp.MustCompile(`(?i)^(sent from (my|mail for|yahoo|outlook)|sent via\b|get outlook for|von meinem .{2,40} gesendet|` +
		`gesendet von|envoyé (de|depuis) mon|enviado desde mi|enviado do meu|inviato da(l mio)?\b|verstuurd vanaf mijn|` +
		`verzonden vanaf mijn|skickat från min|sendt fra min|wysłane z|odesláno z)`)

	emphasis = strings.NewReplacer("*", "", "\u00A0", " ", "\u200B", "", "\u200E", "", "\u202F", " ")
)

// longestSignature is how many lines behind "-- " are still taken for a signature.
const longestSignature = 15

// visibleReply gives what an answer adds: without quoted text and signature.
func visibleReply(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	kept := cutSignature(dropQuotes(cutForwarded(lines)))
	out := strings.TrimSpace(strings.Join(kept, "\n"))
	if out == "" {
		return s
	}
	return out
}

// cutForwarded cuts at the header block or the line by which Outlook and its kin put the whole earlier mail below.
func cutForwarded(lines []string) []string {
	for i, line := range lines {
		text := plainLine(line)
		if original.MatchString(text) || blockFrom.MatchString(text) && isHeaderBlock(lines[i+1:]) {
			for i > 0 && isRule(lines[i-1]) {
				i--
			}
			if isBlank(lines[:i]) {
				return lines
			}
			return lines[:i]
		}
	}
	return lines
}

// isHeaderBlock tells whether at least two of the next lines are header lines of a quoted mail.
func isHeaderBlock(lines []string) bool {
	n := 0
	for _, line := range lines[:min(len(lines), 8)] {
		if text := plainLine(line); blockRest.MatchString(text) {
			n++
		} else if text != "" && n == 0 {
			return false
		}
	}
	return n >= 2
}

// dropQuotes takes out runs of quoted lines with the line that says whose they are. Where such a line is followed by
// text without marks, that is the earlier mail, and everything from there on goes.
func dropQuotes(lines []string) []string {
	var out []string
	for i := 0; i < len(lines); {
		if isQuoted(lines[i]) {
			i++
			continue
		}
		n := attributionLines(lines[i:])
		if n == 0 {
			out = append(out, lines[i])
			i++
			continue
		}
		next := i + n
		for next < len(lines) && strings.TrimSpace(lines[next]) == "" {
			next++
		}
		if next < len(lines) && !isQuoted(lines[next]) && !isBlank(out) {
			return out
		}
		i = next
	}
	return out
}

// attributionLines is over how many lines an attribution stands that begins here; 0 for none. Programs wrap it.
func attributionLines(lines []string) int {
	text := ""
	for n := 1; n <= 4 && n <= len(lines); n++ {
		line := plainLine(lines[n-1])
		if line == "" || len(line) > 300 || isQuoted(lines[n-1]) {
			return 0
		}
		text = strings.TrimSpace(text + " " + line)
		if attribution.MatchString(text) && strings.ContainsAny(text, "0123456789@") {
			return n
		}
	}
	return 0
}

// cutSignature cuts "-- " and what follows (RFC 3676, section 4.3), and "Sent from my …" at the end.
func cutSignature(lines []string) []string {
	for i := len(lines) - 1; i >= 0 && i >= len(lines)-longestSignature-1; i-- {
		if text := strings.TrimRight(lines[i], " \u00A0\r"); text == "--" || text == `\--` || text == "—" {
			if isBlank(lines[:i]) {
				return lines
			}
			lines = lines[:i]
			break
		}
	}
	last := len(lines)
	for seen := 0; last > 0 && seen < 3; last-- {
		text := plainLine(lines[last-1])
		if text == "" {
			continue
		}
		seen++
		if sentFrom.MatchString(text) && !isBlank(lines[:last-1]) {
			return lines[:last-1]
		}
	}
	return lines
}

func isQuoted(line string) bool {
	return strings.HasPrefix(strings.TrimLeft(line, " "), ">")
}

func isRule(line string) bool {
	t := plainLine(line)
	return strings.Trim(t, "_-= ") == ""
}

func isBlank(lines []string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			return false
		}
	}
	return true
}

// plainLine is a line without emphasis and the like, for comparing.
func plainLine(s string) string {
	return strings.TrimSpace(emphasis.Replace(s))
}
