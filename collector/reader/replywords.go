package reader

import "regexp"

// The marks that mail programs write around an answer, in the languages that they write them in.

// wrote are the verbs of "Ana wrote:".
const wrote = `wrote|writes|said|schrieb|a écrit|a ecrit|écrit|escribió|escribio|ha scritto|escreveu|schreef|skrev|skreiv|napisał(?:\(a\)|a)?|` +
	`napsal(?:\(a\)|a)?|napísal(?:\(a\)|a)?|kirjoitti|yazdı|şunu yazdı|írta|a scris|έγραψε|va escriure|ha escrit|je napisao|je napisala|je napisao/la|` +
	`написала?|написал\(а\)|пишет|написав|написа|rašė|rakstīja|kirjutas|menulis|đã viết|เขียน|כתבה?|כתב/ה|كتب|写道|寫道|寫到|写到|작성|님이 작성|のメール`

// Words that begin the fields of a quoted mail's header.
const (
	fromWords = `from|von|de|da|van|från|fra|od|lähettäjä|expéditeur|absender|remitente|mittente|afzender|de la|feladó|gönderen|kimden|` +
		`nadawca|odesílatel|от|от кого|від|από|מאת|من|发件人|寄件者|寄件人|差出人|보낸 ?사람|message du|mensagem de`
	fieldWords = fromWords + `|sent|date|to|cc|subject|reply-to|importance|attachments?|gesendet|datum|an|betreff|antwort an|kopie|envoyé(?: le)?|à|a|objet|sujet|copie à|` +
		`répondre à|enviado(?: el| em)?|fecha|data|para|asunto|inviato|oggetto|risposta|rispondi a|assunto|verzonden|aan|onderwerp|skickat|till|ämne|` +
		`sendt|til|emne|dato|wysłano|do|temat|data wysłania|odesláno|komu|předmět|predmet|lähetetty|päivämäärä|vastaanottaja|aihe|trimis|către|subiect|` +
		`elküldve|dátum|címzett|tárgy|tarih|kime|konu|gönderme tarihi|отправлено|дата|кому|копия|тема|надіслано|στάλθηκε|ημερομηνία|προς|θέμα|` +
		`תאריך|נשלח|אל|נושא|التاريخ|تاريخ الإرسال|إلى|الموضوع|发送时间|日期|收件人|抄送|主题|寄件日期|收件者|副本|主旨|送信日時|日時|宛先|件名|보낸 날짜|날짜|받는 ?사람|참조|제목`
)

var (
	// "On Mon, 2 Nov 2026 at 10:00, Ana <ana@example.com> wrote:", whatever the language: the verb at its end, or before
	// the name. attributionLines asks for a date or an address besides.
	attribution = regexp.MustCompile(`(?i)^[-–—*\s]*(?:.{5,}(?:^|[\s>)"'\x{3000}-\x{9fff}])(?:` + wrote + `)\s*[:：]?[-–—*\s]*|` +
		`.{5,}\b(?:schrieb|skrev|schreef|escribió|wrote|napisał|kirjoitti)\s+.{2,120}?[:：>]?\s*|.{5,}(?:写道|寫道|wrote)[:：]?\s*)$`)

	// "2016-10-24 15:36 GMT+02:00 Ana <ana@example.com>:" of programs that write no verb.
	dateline = regexp.MustCompile(`(?i)^[-*\s]*(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{1,2}[:.]\d\d (?:am|pm), \S+ \d{1,2}, \d{4})\b.{0,120}<\s?[^<>\s]+@[^<>\s]+>\s*[:：]?\s*$`)

	// The short form, "Ana Lima wrote:", is only believed right above a quoted line.
	shortAttribution = regexp.MustCompile(`(?i)^.{2,120}[\s>)](` + wrote + `)\s?[:：]$`)

	// whenOrWho is what an attribution has besides its verb: a time, a year, or an address.
	whenOrWho = regexp.MustCompile(`\d{1,2}[:.h]\d\d|\b(?:19|20)\d\d\b|\S@\S|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d月`)

	// The line above a quoted mail in Outlook and its kin, and above a forwarded one.
	original = regexp.MustCompile(`(?i)^(?:[-_=*>]{2,}\s*(?:original (?:message|appointment|nachricht|mail)|ursprüngliche nachricht|originalnachricht|` +
		`message d'origine|message original|mensaje original|messaggio originale|mensagem original|oorspronkelijk bericht|` +
		`ursprungligt meddelande|oprindelig meddelelse|opprinnelig melding|wiadomość oryginalna|oryginalna wiadomość|původní zpráva|` +
		`alkuperäinen viesti|eredeti üzenet|orijinal mesaj|исходное сообщение|пересылаемое сообщение|原始邮件|原始郵件|元のメッセージ|원본 메시지|` +
		`(?:begin )?forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|doorgestuurd bericht|reply message|reply above this line)\s*[-_=*>]*|` +
		`={4,}\s*$)`)
	reallyOriginal = regexp.MustCompile(`\pL`)

	// The header block of a quoted mail, a line each: sender first, then date, to and subject in any order.
	blockFrom = regexp.MustCompile(`(?i)^(?:` + fromWords + `)\s?[:：]`)
	blockRest = regexp.MustCompile(`(?i)^(?:` + fieldWords + `)\s?[:：]`)

	sentFrom = regexp.MustCompile(`(?i)^[\[(<]*(?:sent|get|von|gesendet|diese nachricht wurde|envoyé|enviado|inviato|verstuurd|verzonden|skickat|sendt|wysłan[eo]|odesláno|lähetetty|` +
		`отправлено|发自我的|從我的|iphoneから送信|나의 iphone에서 보냄|from my|télécharger|obtenez|hol(?:en)? sie sich|obtener|ottieni|download) ?` +
		`(?:by \S+|from (?:my|mail for|yahoo|outlook|windows|samsung|proton|type|the|a|an|gmail|blue|k-9|your)\b|from (?:[\w-]+ ?){1,4}$|via\b|with (?:airmail|spark|proton|unibox|k-9|mailtrack|superhuman|\w+$)|using\b|outlook (?:for|für|pour|para|per|voor)|` +
		`meinem? .{2,40}gesendet|mit .{2,50}gesendet|von .{2,60}gesendet|(?:von|mit|über|aus) .{2,60}|(?:de|depuis|à partir d[e']|avec|par) .{2,60}|desde .{2,60}|do meu .{2,40}|(?:dal? |con )\S.{2,60}|` +
		`(?:vanaf|met|via) .{2,60}|från .{2,40}|fra .{2,40}|z(?:e)? .{2,40}|с .{2,40}|.{0,20}iphone.{0,12}|.{0,20}(?:android|ipad|blackberry|samsung|huawei|xiaomi).{0,20})[\])>]*`)

	// Closings that stand alone above a name.
	closing = regexp.MustCompile(`(?i)^(?:(?:with )?(?:best|kind|warm|many|kindest|warmest)(?: (?:regards|wishes))?|regards|sincerely(?: yours)?|yours(?: (?:truly|sincerely|faithfully))?|cheers|br|rgds|` +
		`(?:mit )?(?:freundlichen?|besten?|vielen|herzlichen?|lieben?|viele|schöne) (?:grüßen?|grüssen?|gruß)|mfg|vg|lg|grüße|gruß|cordialement|bien (?:à vous|cordialement)|salutations|(?:très )?cordialement|` +
		`(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|cordiali saluti|distinti saluti|saluti|atenciosamente|cumprimentos|abraços|` +
		`met vriendelijke groet(?:en)?|groet(?:en|jes)?|mvh|med vänlig(?:a)? hälsning(?:ar)?|vänliga hälsningar|hälsningar|med venlig hilsen|vennlig hilsen|hilsen|pozdrawiam|z poważaniem|` +
		`s pozdravem|ystävällisin terveisin|terveisin|üdvözlettel|saygılarımla|с уважением|с наилучшими пожеланиями|З повагою|此致|祝好|よろしくお願いします|敬具)\s*[,.!]*$`)
	nameLike = regexp.MustCompile(`^[\p{Lu}\p{Lo}][\p{L}.'’-]*(?: (?:[\p{Lu}\p{Lo}][\p{L}.'’-]*|van|von|de|der|da|di|la|le|bin|al)){0,4}$`)

	// What gateways, lists and firms put below; from the line on, all goes.
	footer = regexp.MustCompile(`(?i)^(?:[-—_* ]*reply to this e-?mail directly|[-—_* ]*you(?:'re| are)? receiv(?:ed|ing) this (?:message|e-?mail|notification)? ?because|[-_* ]*to (?:respond|unsubscribe|stop receiving|post to this|view this discussion|manage|change your|mute)\b.{0,200}(?:reply|visit|e-?mail|click|http|link|list|group|topic|thread)|` +
		`[-_* ]*(?:this|the information in this|the contents? of this) (?:e-?mail|message|communication|transmission|electronic)\b.{0,120}(?:confidential|privileged|intended|virus|scanned|protected)|confidentiality (?:notice|statement)|disclaimer\s*:?|legal notice|important notice|` +
		`diese (?:e-?mail|nachricht)\b.{0,80}vertraulich|vertraulichkeitshinweis|ce (?:message|courriel|mail)\b.{0,120}(?:confidentiel|destin)|avis de confidentialité|este (?:mensaje|correo)\b.{0,120}confidencial|esta mensagem\b.{0,80}confidencia|questo messaggio\b.{0,120}(?:riservat|confidenzial)|dit (?:e-?mail)?bericht\b.{0,80}vertrouwelijk|` +
		`virus-free\b|this e-?mail has been (?:checked|scanned)|scanned by|diese e-?mail wurde von .{2,40} auf viren|l'absence de virus|please (?:consider the environment|don't print)|think before you print|view it on git|(?:-- ?)?mailing list\b)`)
	listFooter = regexp.MustCompile(`(?i)mailing list|google groups|unsubscribe|/mailman/|listinfo`)

	// What a gateway puts above the text of mail from outside.
	banner = regexp.MustCompile(`(?i)^\W*(?:\[?external\]?\W*$|(?:caution|warning|achtung|attention|vorsicht|external(?: e-?mail| sender)?|think)\b.{0,40}(?:e-?mail|message|nachricht|sender|mail)\b.{0,80}(?:outside|external|extern|unknown|originat|caution)|` +
		`this (?:e-?mail|message) (?:originated|came|was sent) from outside|diese (?:e-?mail|nachricht) (?:kommt|stammt) von (?:außerhalb|extern)|you don't often get email from|some people who received this message don't often)`)
)
