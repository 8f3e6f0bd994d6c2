package reader

import (
	"regexp"
	"strings"

	"quietpost/digest"
)

var (
	// An enhanced status code (RFC 3463), not part of an IP address or a version.
	enhanced = regexp.MustCompile(`(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?:[^\d.]|\.\D|\.?$)`)
	reply    = regexp.MustCompile(`(?:^|[^\d.:])([45][0-7]\d)(?:[ \-]|$)`)

	// The words of servers, by what they mean. Where several fit the order in wordClasses decides.
	saysRate = regexp.MustCompile(`(?i)receiving (mail|messages) (at|too)|at a rate|limit for the number of messages|messages? .{0,20}per (hour|minute|day)|too many messages (to|for|from)`)
	saysFull = regexp.MustCompile(`(?i)over ?-?quota|over (its|his|her|their) .{0,12}quota|disk quota|quota.{0,20}(exceed|full|limit)|exceed\w*.{0,40}(quota|storage|disk|mailbox size)|` +
		`(mailbox|mail box|folder|disk|inbox|account|postfach).{0,30}\b(full|overquota|exceed\w*)|(out of|insufficient|not enough) .{0,12}(storage|space)|` +
		`no (disk )?space left|storage limit|mailbox size limit|too many messages in|size (limit )?of .{0,30}(mailbox|account)|` +
		`(postfach|mailbox) .{0,40}\b(voll|pleine)\b|(boîte|messagerie|destinataire)\b.{0,40}\bpleine|(buzón|bandeja)\b.{0,40}\bllen[oa]|(casella|cassetta)\b.{0,40}\bpiena|postvak\b.{0,40}\bvol\b|caixa\b.{0,40}\bcheia|` +
		`переполнен|przepełnion|メールボックス.{0,12}(いっぱい|容量)|已满|已滿|temporarily over|is full\b`)
	saysTooBig = regexp.MustCompile(`(?i)(message|mail|file|attachment)\b.{0,40}(too (large|big)|exceed\w*.{0,40}(size|limit|length))|size (limit )?exceed|` +
		`exceed\w*.{0,40}(maximum|fixed|message|content).{0,20}(size|limit)|maximum message size`)
	saysSuspended = regexp.MustCompile(`(?i)(mailbox|account|user|address|recipient)\b.{0,50}(suspend|inactiv|deactivat|disabled|not active|on hold|locked|expired)|` +
		`temporarily (un|in)available|user disabled|disabled (account|mailbox|user)|account.{0,20}(discontinued)`)
	saysHard = regexp.MustCompile(`(?i)(user|recipient|mailbox|address|account|addressee|name|party|person)\b.{0,50}\b(unknown|not (exist|found|known|valid|listed|recogni[sz]ed|here|in|a valid|a known|local)|(does ?n[o']t|do not|cannot|can not) (be )?(exist|found|have|match)|invalid|undeliverable|nonexist)|` +
		`(unknown|no such|invalid|non-?exist\w*|bad|unrecogni[sz]ed|not a (valid|known))\b.{0,24}\b(user|recipient|mailbox|address|account|person|addressee|alias|domain|host|mail drop|customer|name)|` +
		`no (mailbox|account|user|valid recipients?|recipient)\b|unrout(e)?able|(host|domain)\b.{0,40}(not found|does ?n[o']t exist|unknown)|host not found|name or service not known|nxdomain|` +
		`(doesn't|does not) have an? .{0,30}account|this (user|account|address) .{0,30}(doesn't|not exist)|has moved|no longer (exist|valid|employ|with|in use|available|active|on)|` +
		`recipient address rejected: access denied|(cannot|can't|couldn't|could not|unable to) (find|route|relay to).{0,40}(user|mailbox|recipient|address|host|domain)|mailbox (is )?unavailable|unknown to|\S@\S+ (is )?(unknown|invalid|not known)|` +
		`introuvable|no se (ha )?(encontr|pudo encontrar)|non (è stato|è stata) trovat|niet (worden )?gevonden|não (foi|pôde ser) encontrad|hittades inte|kunne ikke (findes|finnes|bli funnet)|ei löyty|nie (została|zostało)? ?(odnalezion|znalezion)|nie znaleziono|nebyl[ao]? nalezen|` +
		`не найден|не удалось найти|не знайден|bulunamadı|見つかりません|リストにありません|存在しません|宛先.{0,12}不明|존재하지 않|找不到|찾을 수 없|nicht (gefunden|bekannt|vorhanden|erreichbar)|unbekannt|inconnu|desconocid|sconosciut|onbekend|no existe|n'existe|nie istnieje|niedostepne|существует|不存在`)
	saysBlocked = regexp.MustCompile(`(?i)\bspam|\bspf\b|dkim|dmarc|block(ed|list|ing)|black ?-?list|deny ?list|\brbl\b|dnsbl|spamhaus|spamcop|uribl|surbl|reputation|` +
		`\bpolic(y|ies)\b|(un)?authenticat|unauthori[sz]ed|not (authori[sz]ed|allowed|permitted|accept(ed|ing)? mail from)|virus|malware|` +
		`(message|mail|content|transaction|delivery|sender|connection|access|client).{0,40}(reject|refus|den(y|ied)|discard)|reject(ed|ion).{0,30}(content|filter|sender|security|administrat|reason|due)|` +
		`unsolicited|\bjunk\b|prohibited|bulk|suspicious|ptr record|reverse dns|relay(ing)? (access |not )?(denied|permitted|prohibited)|access denied|filter|harmful|phish|banned|restricted|protected by|challenge|whitelist`)
	saysSoft = regexp.MustCompile(`(?i)time[d]?[ -]?out|(message|mail|queue)\b.{0,20}\bexpired|(temporar|transient)|try(ing)? again|too many (connection|hops|recipients|errors|messages)|\bloop|system error|connection (refused|reset|lost|dropped)|` +
		`(retry|delivery).{0,20}(time|attempts?).{0,20}(exceed|exhaust|expired|out)|(could not|unable to) (be )?(complete|connect|contact)|no (answer|response) from|network (is )?unreachable|delivery expired|could not be delivered (for|within)|` +
		`service (is )?(currently |temporarily )?(un|not )available|greylist|grey-?listed|rate limit|throttl|configuration|local error`)

	stillTrying = regexp.MustCompile(`(?i)(we|it|server) will keep trying|will continue to be attempted|(do|does) not need to (resend|do anything)|(no need to|not necessary to) resend|will (be retried|(continue|keep)( on)? (to )?try|retry|be tried)|(delivery )?attempts? will (continue|be)|` +
		`still (being |trying)|(has|have|was) (not yet been|been) delayed|delayed|delay\b|could not (yet )?be delivered for .{0,20}hours|this is (only )?a warning|warning message|` +
		`not yet been delivered|versucht noch|weitere zustellversuche|temporär`)
	givenUp = regexp.MustCompile(`(?i)given up|giving up|permanent (error|fatal|failure)|permanently|failed permanently|fatal error|no further attempts|will not be retried|retry timeout exceeded`)
)

// wordClasses are asked in this order.
var wordClasses = []struct {
	says *regexp.Regexp
	is   digest.BounceClass
}{
	{saysTooBig, digest.BounceSoft}, {saysRate, digest.BounceSoft}, {saysFull, digest.BounceFull}, {saysSuspended, digest.BounceSoft},
	{saysHard, digest.BounceHard}, {saysBlocked, digest.BounceBlocked}, {saysSoft, digest.BounceSoft},
}

func classOfWords(s string) digest.BounceClass {
	for _, c := range wordClasses {
		if c.says.MatchString(s) {
			return c.is
		}
	}
	return ""
}

// classOf decides what a report means. A clear enhanced code wins over words that servers mix freely, words win over a
// vague code, and the first digit decides what neither does. Unsure is soft: an address is not given up for it.
func classOf(action, status, reply, said, hint string) digest.BounceClass {
	if strings.HasPrefix(action, "delay") {
		return digest.BounceDelayed
	}
	words := classOfWords(said)
	if words == "" {
		words = classOfWords(hint)
	}
	first, rest, _ := strings.Cut(status, ".")
	switch rest {
	case "1.1", "1.2", "1.3", "1.6", "1.10", "1.0":
		if words == digest.BounceFull || words == digest.BounceSoft && saysSuspended.MatchString(said) ||
			words == digest.BounceBlocked && rest != "1.1" && saysBlocked.MatchString(said) {
			return words
		}
		return digest.BounceHard
	case "2.2":
		return digest.BounceFull
	case "2.1":
		if words == "" {
			return digest.BounceHard // "mailbox disabled, not accepting messages"
		}
	case "2.3", "3.4", "6.9", "4.7", "4.6":
		return digest.BounceSoft
	}
	if strings.HasPrefix(rest, "7.") {
		if words == digest.BounceHard && !saysBlocked.MatchString(said) && first == "5" {
			return digest.BounceHard
		}
		return digest.BounceBlocked
	}
	switch {
	case first == "4" && words != digest.BounceFull: // it may pass, says the server, whatever its words are
		return digest.BounceSoft
	case reply == "501" && words == digest.BounceHard && vague(status): // it does not like how we greet it
		return digest.BounceBlocked
	case words != "":
		return words
	case strings.HasPrefix(rest, "4."): // of the way there, not of the address
		return digest.BounceSoft
	case reply == "552" || reply == "452":
		return digest.BounceFull
	case reply == "554", reply == "571", reply == "541":
		return digest.BounceBlocked
	case reply == "550" || reply == "551" || reply == "553":
		return digest.BounceHard
	}
	return digest.BounceSoft
}

// vague codes say no more than their first digit.
func vague(status string) bool {
	_, rest, _ := strings.Cut(status, ".")
	return status == "" || rest == "0.0" || rest == "5.0" || rest == "3.0" || rest == "4.0" || rest == "7.0"
}

// statusIn is the first enhanced status code of a failure in a text that is not vague, else the first.
func statusIn(s string) string {
	first := ""
	for _, m := range enhanced.FindAllStringSubmatch(s, 10) {
		if m[1][0] == '2' {
			continue
		}
		if !vague(m[1]) {
			return m[1]
		}
		if first == "" {
			first = m[1]
		}
	}
	return first
}

// replyIn is the first SMTP reply code of a failure in a text.
func replyIn(s string) string {
	if m := reply.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}
