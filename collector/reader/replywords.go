package reader

import (
	"regexp"
	"strings"
)

// The marks that mail programs write around an answer, in the languages that they write them in.

// wrote are the verbs of "Ana wrote:".
const wrote = `wrote|writes|schrieb|a écrit|a ecrit|écrit|escribió|escribio|ha scritto|escreveu|schreef|skrev|skreiv|napisał(?:\(a\)|a)?|` +
	`pisze|napsal(?:\(a\)|a)?|napísal(?:\(a\)|a)?|kirjoitti|yazdı|şunu yazdı|írta|a scris|έγραψε|va escriure|ha escrit|je napisao|je napisala|je napisao/la|` +
	`написала?|написал\(а\)|пишет|пише|쓴 글|написав|написа|rašė|rakstīja|kirjutas|menulis|đã viết|เขียน|כתבה?|כתב/ה|كتب|写道|寫道|寫到|写到|작성|님이 작성|のメール`

// Words that begin the fields of a quoted mail's header.
const (
	fromWords = `from|von|de|da|van|från|fra|od|lähettäjä|expéditeur|absender|remitente|mittente|afzender|de la|feladó|gönderen|kimden|` +
		`nadawca|odesílatel|от|от кого|від|από|מאת|من|发件人|寄件者|寄件人|差出人|보낸 사람|보낸사람|message du|mensagem de|šalje|шаље|từ|nuo|no|saatja|dari|จาก|از`
	fieldWords = fromWords + `|sent|date|to|cc|subject|reply-to|importance|attachment|attachments|gesendet|datum|an|betreff|antwort an|kopie|envoyé|envoyé le|à|a|objet|sujet|copie à|` +
		`répondre à|enviado|enviado el|enviado em|fecha|data|para|asunto|inviato|oggetto|risposta|rispondi a|assunto|verzonden|aan|onderwerp|skickat|till|ämne|` +
		`sendt|til|emne|dato|wysłano|do|temat|data wysłania|odesláno|komu|předmět|predmet|lähetetty|päivämäärä|vastaanottaja|aihe|trimis|către|subiect|` +
		`elküldve|dátum|címzett|tárgy|tarih|kime|konu|gönderme tarihi|отправлено|дата|кому|копия|тема|надіслано|στάλθηκε|ημερομηνία|προς|θέμα|` +
		`תאריך|נשלח|אל|נושא|التاريخ|تاريخ الإرسال|إلى|الموضوع|发送时间|日期|收件人|抄送|主题|寄件日期|收件者|副本|主旨|送信日時|日時|宛先|件名|보낸 날짜|날짜|받는 사람|받는사람|참조|제목|изпратено|относно|до|odoslané|poslano|prima|za|zadeva|послато|прима|đã gửi|đến|chủ đề|išsiųsta|kam|tema|nosūtīts|temats|saadetud|adressaat|teema|` +
		`dikirim|kepada|perihal|ส่ง|ถึง|เรื่อง|ارسال شده|به|موضوع|تم الإرسال|enviada|enviada em|odosielateľ`
)

// Words before a colon at the beginning of a line, lower-case: of the field that names the sender, of any field, of the subject.
var (
	blockFrom    = setOf(fromWords)
	blockRest    = setOf(fieldWords)
	blockSubject = setOf(`subject|betreff|objet|sujet|asunto|oggetto|assunto|onderwerp|ämne|emne|temat|předmět|predmet|aihe|subiect|tárgy|konu|тема|θέμα|` +
		`נושא|الموضوع|موضوع|主题|主旨|件名|제목|относно|zadeva|chủ đề|tema|temats|teema|perihal|เรื่อง`)
)

// footerWords are the first words of what footer and footerHead ask for.
var footerWords = setOf(`reply|you|to|this|the|diese|ce|este|esta|questo|dit|virus|virenfrei|sans|libre|livre|https|http|scanned|l|please|think|view|mailing|confidentiality|disclaimer|legal|important|notice|` +
	`vertraulichkeitshinweis|haftungsausschluss|rechtlicher|avis|aviso|nota|avvertenza`)

// sentWords are the English words that what a program says of itself begins with, sentEnds the verbs that other languages end it
// with, and deviceStems what one of it mentions.
var (
	sentWords   = setOf(`sent|get|from|download`)
	sentEnds    = regexp.MustCompile(`^(?:(?:von|mit|diese (?:nachricht|e-mail|mail) wurde) .{2,80}gesendet|.{2,60}(?:dan|den) gönderildi|.{2,40}(?:から送信|에서 보냄)|outlook .{2,60}(?:beziehen|downloaden|herunterladen|を入手|edinin))[.)\]> ]*$`)
	deviceStems = strings.Split(strings.NewReplacer(`\b`, "", `\`, "").Replace(devices), "|")
)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Split(words, "|") {
		set[w] = true
	}
	return set
}

// device are the programs and things that mail is sent from.
const device = `(?:` + devices + `)`

const devices = `iphon|ipad|ipod|android|samsung|galaxy|huawei|xiaomi|redmi|pixel|nokia|motorola|blackberry|windows|outlook|gmail|yahoo|proton|gmx|web\.de|t-online|spark|k-9|airmail|tutanota|` +
	`\bapp\b|application|aplikac|mobil|handy|telefon|téléphone|teléfono|smartphone|tablet|portable|móvil|cellulare|celular|gerät|dispositivo|toestel|почт|телефон|смартфон|устройств|планшет|приложени|手机|手機|携帯|휴대`

var (
	// "On Mon, 2 Nov 2026 at 10:00, Ana <ana@example.com> wrote:", whatever the language: the verb at its end, or before
	// the name. attributionLines asks for a date or an address besides.
	attribution = regexp.MustCompile(`(?i)^[-–—*\s]*(?:.{5,}(?:^|[\s>)"'\x{3000}-\x{9fff}])(?:` + wrote + `)\s*[:：]?[-–—*\s]*|` +
		`.{5,}\b(?:schrieb|skrev|schreef|escribió|wrote|napisał|kirjoitti)\s+.{2,120}?[:：>]?\s*|.{5,}(?:写道|寫道|wrote)[:：]?\s*)$`)

	// "2016-10-24 15:36 GMT+02:00 Ana <ana@example.com>:" of programs that write no verb.
	dateline = regexp.MustCompile(`(?i)^[-*\s]*(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{1,2}[:.]\d\d (?:am|pm), \S+ \d{1,2}, \d{4})\b.{0,120}<\s?[^<>\s]+@[^<>\s]+>\s*[:：]?\s*$`)

	// The short form, "Ana Lima wrote:", is only believed right above a quoted line.
	shortAttribution = regexp.MustCompile(`(?i)^.{2,120}[\s>)](` + wrote + `|said)\s?[:：]$`)

	// ownWords is a person's sentence that has the verb.
	ownWords = regexp.MustCompile(`(?i)\b(?:we|i|you|he|she|they|who)\b[^<>@]{0,20}\bwrote\b|\bschrieb(?:en)? (?:ich|wir|er|sie|man)\b|\bschreef(?:en)? (?:ik|wij|we)\b|\bskrev (?:jag|vi|jeg|han|hon|hun)\b|` +
		`\b(?:j'ai|nous avons|vous avez|il a|elle a) écrit\b|\b(?:ho|abbiamo) scritto\b`)

	// whenOrWho is what an attribution has besides its verb: a time, a year, or an address.
	whenOrWho = regexp.MustCompile(`\d{1,2}[:.h]\d\d|\b(?:19|20)\d\d\b|\S@\S|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d月`)

	// The line above a quoted mail in Outlook and its kin, and above a forwarded one.
	original = regexp.MustCompile(`(?i)^(?:[-_=*>]{2,}\s*(?:original (?:message|appointment|nachricht|mail)|ursprüngliche nachricht|originalnachricht|` +
		`message d'origine|message original|mensaje original|messaggio originale|mensagem original|oorspronkelijk bericht|` +
		`ursprungligt meddelande|oprindelig meddelelse|opprinnelig melding|wiadomość oryginalna|oryginalna wiadomość|původní zpráva|` +
		`alkuperäinen viesti|eredeti üzenet|orijinal mesaj|исходное сообщение|пересылаемое сообщение|原始邮件|原始郵件|元のメッセージ|원본 메시지|` +
		`(?:begin )?forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|doorgestuurd bericht|reply message|reply above this line)\s*[-_=*>]*|` +
		`={4,}\s*$|>{3} .{3,100}\d{4}.{0,20} >{3}$|.{2,60} ---?\s?\d{1,2}[./-]\d{1,2}[./-]\d{2,4} \d{1,2}:\d\d(?::\d\d)?(?: [ap]m)?---)`)
	reallyOriginal = regexp.MustCompile(`\pL`)

	// What an attribution in a language that is not known here has: an address, a time and a day.
	anAngle = regexp.MustCompile(`[<(\[][^\s<>()\[\]]+@[^\s<>()\[\]]+[>)\]]`)
	aField  = regexp.MustCompile(`(?:^|[^(\pL])\pL+:\s`)
	aTime   = regexp.MustCompile(`\b\d{1,2}[:.h]\d\d\b`)
	aDay    = regexp.MustCompile(`\b(?:19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b`)

	// What a program says of itself or of the device, at the end: in English, in other languages, and where the verb stands last.
	sentFrom = regexp.MustCompile(`(?i)^[-–—\s\[(<]*(?:(?:sent|get|from my|download) ?` +
		`(?:by \S+|from (?:my|mobile|mail for|yahoo|outlook|windows|samsung|proton|type|the|a|an|gmail|blue|k-9|your)\b|from (?:[\w-]+ ?){1,4}$|from mail\b|via\b|` +
		`with (?:airmail|spark|proton|unibox|k-9|mailtrack|superhuman|\w+$)|using\b|outlook for\b|.{0,20}iphone.{0,12}|.{0,20}(?:android|ipad|blackberry|samsung|huawei|xiaomi).{0,20})[\])>]*|` +
		`(?:gesendet|envoyé|envoi|enviad[oa]|enviat|inviat[oa]|verstuurd|verzonden|skickat|sendt|wysłan[eo]|odesláno|odoslané|отправлено|надіслано|изпратено|послато|poslano|elküldve|küldve|trimis|` +
		`στάλθηκε|dikirim|đã gửi|được gửi|saadetud|išsiųsta|nosūtīts) (?:von|mit|über|aus|de|d|depuis|à partir|avec|par|via|desde|do|da|dal|dall|con|vanaf|met|från|fra|med|z|ze|za|przez|s|с|из|з|зі|от|az?|από|dari|từ)[ '’].{0,45}` + device + `|lähetetty .{0,20}(?:iphon|ipad|android|samsung|puhelim|laitte)|` +
		`(?:أرسل|مرسل|נשלח|发自|發自|从我的|從我的|나의 ).{0,20}` + device + `|provenance : courrier pour windows|` +
		`(?:get|télécharge[rz]|obtenez|obtenir|hol(?:en)? sie sich|hol dir|obtener|obtén|obter|obtenha|baixar|ottieni|scarica|hämta|skaffa|hent|last ned|få|pobierz|získejte|stáhnout|stiahnuť|hanki|загрузить|скачать|получить|获取|取得|obțineți|λήψη)\b.{0,20} outlook .{0,25}(?:ios|android|windows|mac))`)

	// Closings that stand alone above a name.
	closing = regexp.MustCompile(`(?i)^(?:(?:with )?(?:best|kind|warm|many|kindest|warmest)(?: (?:regards|wishes))?|regards|sincerely(?: yours)?|yours(?: (?:truly|sincerely|faithfully))?|cheers|br|rgds|` +
		`(?:mit )?(?:freundlichen?|besten?|vielen|herzlichen?|lieben?|viele|schöne) (?:grüßen?|grüssen?|gruß)|mfg|vg|lg|grüße|gruß|cordialement|bien (?:à vous|cordialement)|salutations|(?:très )?cordialement|` +
		`(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|cordiali saluti|distinti saluti|saluti|atenciosamente|cumprimentos|abraços|` +
		`met vriendelijke groet(?:en)?|groet(?:en|jes)?|mvh|med vänlig(?:a)? hälsning(?:ar)?|vänliga hälsningar|hälsningar|med venlig hilsen|vennlig hilsen|hilsen|pozdrawiam|z poważaniem|` +
		`s pozdravem|s pozdravom|lep pozdrav|pozdrav|all the best|best|take care|bien à (?:toi|vous)|amicalement|cordialmente|un abrazo|com os melhores cumprimentos|melhores cumprimentos|abraço|` +
		`(?:mit )?(?:freundlichen?|besten?|herzlichen?|lieben?|viele|schöne) grüßen? aus \S+|beste groet(?:en)?|cu stimă|με εκτίμηση|בברכה|مع (?:أطيب )?التحي(?:ات|ة)|تحياتي|よろしくお願い(?:いた|致)?します|kveðja|parhain terveisin|üdv|lugupidamisega|ar cieņu|pagarbiai|` +
		`ystävällisin terveisin|terveisin|üdvözlettel|saygılarımla|с уважением|с наилучшими пожеланиями|З повагою|此致|祝好|よろしくお願いします|敬具)[\p{So}\s,.!。،~]*$`)
	nameLike = regexp.MustCompile(`^[\p{Lu}\p{Lo}][\p{L}.'’-]*(?: (?:[\p{Lu}\p{Lo}][\p{L}.'’-]*|van|von|de|der|da|di|la|le|bin|al)){0,4}$`)

	// What gateways, lists and firms put below; from the line on, all goes.
	footer = regexp.MustCompile(`(?i)^(?:[-—_* ]*reply to this e-?mail directly|[-—_* ]*you(?:'re| are)? receiv(?:ed|ing) this (?:message|e-?mail|notification)? ?because|[-_* ]*to (?:unsubscribe|stop receiving|post to this|view this discussion)\b.{0,200}(?:reply|visit|e-?mail|click|http|link|list|group|topic|thread)|` +
		`[-_* ]*to (?:respond|reply)\b.{0,60}(?:reply to this|visit topic|above this line)|[-_* ]*to (?:manage|change|update|mute) (?:your|this) (?:subscription|e-?mail|notification|preference|delivery|thread|topic)|` +
		`[-_* ]*(?:this|the information in this|the contents? of this) (?:e-?mail|message|communication|transmission|electronic)\b.{0,120}(?:confidential|privileged|intended|virus|scanned|protected)|` +
		`diese (?:e-?mail|nachricht)\b.{0,80}vertraulich|ce (?:message|courriel|mail)\b.{0,120}(?:confidentiel|destin)|este (?:mensaje|correo)\b.{0,120}confidencial|esta mensagem\b.{0,80}confidencia|questo messaggio\b.{0,120}(?:riservat|confidenzial)|dit (?:e-?mail)?bericht\b.{0,80}vertrouwelijk|` +
		`virus-free\b|virenfrei\.|sans virus\.|libre de virus\.|livre de vírus|<?https?://www\.avast\.com/sig-email|this e-?mail has been (?:checked|scanned)|scanned by|diese e-?mail wurde von .{2,40} auf viren|l'absence de virus|please (?:consider the environment|don't print)|think before you print|view it on git|(?:-- ?)?mailing list\s*:)`)

	// A heading that a person may write too: it is a firm's if the lines below it say so.
	footerHead = regexp.MustCompile(`(?i)^[-_*= ]*(?:confidentiality(?: notice| statement)?|disclaimer|legal (?:notice|disclaimer)|important notice|notice|vertraulichkeitshinweis|haftungsausschluss|rechtlicher hinweis|avis de confidentialité|aviso legal|aviso de confidencialidad|nota di riservatezza|avvertenza)\b`)
	footerBody = regexp.MustCompile(`(?i)confidential|privileged|intended (?:solely|only|recipient|for)|addressee|vertraulich|empfänger|confidentiel|destinataire|confidencial|destinatario|riservat|vertrouwelijk`)
	listFooter = regexp.MustCompile(`(?i)mailing list|google groups|unsubscribe|/mailman/|listinfo`)

	// What a gateway puts above the text of mail from outside.
	banner = regexp.MustCompile(`(?i)^\W*(?:\[?external\]?\W*$|(?:caution|warning|achtung|attention|vorsicht|external(?: e-?mail| sender)?|think)\W{1,3}(?:before you click\W{1,3})?(?:the sender of )?(?:this|the|diese|dies ist eine|ce|este|questa|dit|external)\b.{0,20}(?:e-?mail|message|nachricht|mail|sender)\b.{0,12}\b(?:is|was|has|comes?|came|originat\w*|kommt|stammt|wurde|ist|provient|proviene|vient)\b.{0,40}(?:outside|external|extern)|` +
		`(?:caution|warning)\W{1,3}external (?:e-?mail|message|sender)\b|external (?:e-?mail|message|sender)\W{1,3}(?:do not|exercise|be careful|use caution|think)|` +
		`this (?:e-?mail|message) (?:originated|came|was sent) from outside|diese (?:e-?mail|nachricht) (?:kommt|stammt) von (?:außerhalb|extern)|you don't often get email from|some people who received this message don't often)`)
)
