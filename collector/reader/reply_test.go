package reader

import (
	"strings"
	"testing"
)

// replyCases are answers as programs send them, and what their writers wrote.
var replyCases = []struct{ name, text, want string }{
	{"Gmail", "Looks good.\n\nOn Mon, 2 Nov 2026 at 10:00, Ana Lima <ana@example.com> wrote:\n\n> Shall we?\n> Yes?\n", "Looks good."},
	{"Gmail, wrapped", "Looks good.\n\nOn Mon, 2 Nov 2026 at 10:00, Ana Lima of the Department of Long Names\n<ana@example.com> wrote:\n> Shall we?\n", "Looks good."},
	{"a greeting above an attribution", "Hi,\nOn Mon, 2 Nov 2026, Ana wrote:\n> Shall we?\nYes.\n", "Hi,\nYes."},
	{"German", "Passt.\n\nAm Mo., 2. Nov. 2026 um 10:00 Uhr schrieb Ana Lima <ana@example.com>:\n> Geht das?\n", "Passt."},
	{"German Thunderbird", "Passt.\n\nAm 02.11.26 um 10:00 schrieb Ana Lima:\n> Geht das?\n", "Passt."},
	{"French", "D'accord.\n\nLe lun. 2 nov. 2026 à 10:00, Ana <ana@example.com> a écrit :\n> Ça va ?\n", "D'accord."},
	{"Spanish", "Vale.\n\nEl lun, 2 nov 2026 a las 10:00, Ana (<ana@example.com>) escribió:\n> ¿Sí?\n", "Vale."},
	{"Italian", "Bene.\n\nIl giorno lun 2 nov 2026 alle ore 10:00 Ana <ana@example.com> ha scritto:\n> Ok?\n", "Bene."},
	{"Portuguese", "Certo.\n\nEm seg., 2 de nov. de 2026 às 10:00, Ana <ana@example.com> escreveu:\n> Ok?\n", "Certo."},
	{"Dutch", "Goed.\n\nOp ma 2 nov 2026 om 10:00 schreef Ana <ana@example.com>:\n> Ok?\n", "Goed."},
	{"Swedish", "Bra.\n\nDen mån 2 nov. 2026 kl 10:00 skrev Ana <ana@example.com>:\n> Ok?\n", "Bra."},
	{"Polish", "Dobrze.\n\nW dniu 2.11.2026 o 10:00, Ana pisze:\n> Ok?\n", "Dobrze."},
	{"Polish Gmail", "Dobrze.\n\npon., 2 lis 2026 o 10:00 Ana <ana@example.com> napisał(a):\n\n> Ok?\n", "Dobrze."},
	{"Finnish", "Hyvä.\n\nma 2. marraskuuta 2026 klo 10.00 Ana (ana@example.com) kirjoitti:\n> Ok?\n", "Hyvä."},
	{"Russian", "Хорошо.\n\nпн, 2 нояб. 2026 г. в 10:00, Ana <ana@example.com> написал(а):\n> Ok?\n", "Хорошо."},
	{"Chinese", "好的。\n\nAna <ana@example.com> 于2026年11月2日周一 10:00写道：\n> Ok?\n", "好的。"},
	{"a date and no verb", "Fine.\n\n2026-11-02 10:00 GMT+01:00 Ana <ana@example.com>:\n\nold text\nmore of it\n", "Fine."},
	{"Zoho", "Fine.\n\n---- On Mon, 2 Nov 2026 10:00:00 +0100 Ana <ana@example.com> wrote ----\n\nold text\n", "Fine."},
	{"Outlook", "Agreed.\n\n________________________________\nFrom: Ana Lima <ana@example.com>\nSent: Monday, 2 November 2026 10:00\nTo: Ben\nSubject: Plan\n\nold text\n", "Agreed."},
	{"Outlook in German", "Einverstanden.\n\nVon: Ana Lima <ana@example.com>\nGesendet: Montag, 2. November 2026 10:00\nAn: Ben\nBetreff: Plan\n\nalter Text\n", "Einverstanden."},
	{"Outlook in Japanese", "了解です。\n\n差出人: Ana <ana@example.com>\n送信日時: 2026年11月2日 10:00\n宛先: Ben\n件名: Plan\n\nold\n", "了解です。"},
	{"a wrapped header block", "Ok.\n\nFrom: Human Resources\n<a-really-long-automated-address@example.com>\nSent: Monday, 2 November 2026 10:00\nTo: Ben <ben@example.com>\nSubject: Plan\n\nold\n", "Ok."},
	{"Original Message", "Ok.\n\n-----Original Message-----\nold\n", "Ok."},
	{"Ursprüngliche Nachricht", "Ok.\n\n----- Ursprüngliche Nachricht -----\nalt\n", "Ok."},
	{"signature", "Ok.\n\n-- \nBen Bold\nSenior Something\n", "Ok."},
	{"phone", "Ok.\n\nSent from my iPhone\n", "Ok."},
	{"phone in German", "Ok.\n\nVon meinem iPhone gesendet\n", "Ok."},
	{"phone above the quote", "Ok.\n\nSent from my iPhone\n\n> On 2 Nov 2026, at 10:00, Ana wrote:\n> \n> old\n", "Ok."},
	{"closing", "I do it.\n\nBest regards,\nBen Bold\n+49 30 1234\n", "I do it."},
	{"closing in German", "Mache ich.\n\nMit freundlichen Grüßen\nBen Bold\n", "Mache ich."},
	{"a list's footer", "Ok.\n_______________________________________________\napollo mailing list\napollo@lists.example.com\nhttps://lists.example.com/listinfo/apollo\n", "Ok."},
	{"a tool's footer", "Ok.\n\n—\nReply to this email directly, view it on GitHub, or unsubscribe.\n", "Ok."},
	{"a disclaimer", "Ok.\n\nThis e-mail is confidential and intended for its recipient only.\nIf you are not, delete it.\n", "Ok."},
	{"a gateway's banner", "CAUTION: This email originated from outside of the organization.\nDo not click links.\n\nOk.\n\nOn Mon, 2 Nov 2026, Ana wrote:\n> x\n", "Ok."},

	// Never eat the answer.
	{"thanks is an answer", "Done, it works.\n\nThanks!\n", "Done, it works.\n\nThanks!"},
	{"a question below a closing", "See you.\n\nRegards,\nand could you also restart the server on Monday morning please?\n", "See you.\n\nRegards,\nand could you also restart the server on Monday morning please?"},
	{"regards in a sentence", "With regards to the plan: no.\nIn this regard I wrote to him at 10:00.\n", "With regards to the plan: no.\nIn this regard I wrote to him at 10:00."},
	{"a story of who wrote", "On Monday I met Ana, who wrote the parser in 2026.\nShe wrote: it works.\n", "On Monday I met Ana, who wrote the parser in 2026.\nShe wrote: it works."},
	{"From in the text", "From: my point of view it is fine.\nTo be honest: no.\n", "From: my point of view it is fine.\nTo be honest: no."},
	{"a rule inside the text", "Above\n-----\nBelow\n", "Above\n-----\nBelow"},
	{"dashes in the middle", "one\n--\n" + strings.Repeat("line\n", 20), "one\n--\n" + strings.TrimSpace(strings.Repeat("line\n", 20))},
	{"only a quote", "On Mon, 2 Nov 2026, Ana wrote:\n> Shall we?\n", "On Mon, 2 Nov 2026, Ana wrote:\n> Shall we?"},
	{"only a signature", "-- \nBen\n", "-- \nBen"},

	// Answers in between stay readable.
	{"in between", "On Mon, 2 Nov 2026, Ana wrote:\n> First question?\n\nYes.\n\n> Second question?\n\nNo.\n\n> -- \n> Ana\n", "> First question?\n\nYes.\n\n\n> Second question?\n\nNo."},
	{"below", "On Mon, 2 Nov 2026, Ana wrote:\n> Shall we?\n\nYes, at ten.\n", "Yes, at ten."},
}

func TestReplies(t *testing.T) {
	for _, c := range replyCases {
		if got := visibleReply(c.text); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", c.name, got, c.want)
		}
		if got := visibleReply(crlf(c.text)); strings.ReplaceAll(got, "\r", "") != c.want {
			t.Errorf("%s, CRLF:\n%q, want\n%q", c.name, got, c.want)
		}
	}
}
