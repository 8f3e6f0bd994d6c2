package reader

import (
	"fmt"
	"strings"
	"testing"
)

// dsn is a report by RFC 3464 as servers send it, with its subject and words.
func dsn(from, subject, words, fields string) string {
	return "From: " + from + "\nReturn-Path: <>\nTo: updates+b-x@example.com\nSubject: " + subject + "\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n" + words +
		"\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n" + fields + "\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <our-1@example.com>\nTo: ana@example.net\nSubject: Digest\n\n--b--\n"
}

// plain is a report in words.
func plain(from, subject, words string) string {
	return "From: " + from + "\nReturn-Path: <>\nTo: updates+b-x@example.com\nSubject: " + subject + "\nContent-Type: text/plain; charset=utf-8\n\n" + words + "\n"
}

// fin are the fields of one recipient.
func fin(action, status, diag string) string {
	s := "Final-Recipient: rfc822; ana@example.net\nAction: " + action + "\nStatus: " + status + "\n"
	if diag != "" {
		s += "Diagnostic-Code: smtp; " + diag + "\n"
	}
	return s
}

// serverReports are reports in the words of servers and services, and their class and status; nothing where they say of no failure.
var serverReports = []struct{ name, mail, want string }{
	// Postfix
	{"postfix hard", dsn("MAILER-DAEMON@mx.example.net (Mail Delivery System)", "Undelivered Mail Returned to Sender", "This is the mail system at host mx.example.net.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n<ana@example.net>: host mail.example.net[192.0.2.1] said: 550 5.1.1\n    <ana@example.net>: Recipient address rejected: User unknown in virtual mailbox\n    table (in reply to RCPT TO command)", fin("failed", "5.1.1", "550 5.1.1 <ana@example.net>: Recipient address rejected: User unknown in virtual mailbox table")), "hard 5.1.1"},
	{"postfix relay denied", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.7.1", "554 5.7.1 <ana@example.net>: Relay access denied")), "blocked 5.7.1"},
	{"postfix greylist expired", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "4.2.0", "450 4.2.0 <ana@example.net>: Recipient address rejected: Greylisted")), "soft 4.2.0"},
	{"postfix dns", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.4.4\nDiagnostic-Code: X-Postfix; Host or domain name not found. Name service error for name=example.net type=AAAA: Host not found\n"), "hard 5.4.4"},
	{"postfix dns again", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 4.4.3\nDiagnostic-Code: X-Postfix; Host or domain name not found. Name service error for name=example.net type=MX: Host not found, try again\n"), "soft 4.4.3"},
	{"postfix timeout", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect to mail.example.net[192.0.2.1]:25: Connection timed out\n"), "soft 4.4.1"},
	{"postfix delayed", dsn("MAILER-DAEMON@mx.example.net", "Delayed Mail (still being retried)", "####################\n# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n####################", fin("delayed", "4.4.1", "")), "delayed 4.4.1"},
	{"postfix too big", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.3.4", "552 5.3.4 Message size exceeds fixed limit")), "soft 5.3.4"},
	{"postfix null MX", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.1.0\nDiagnostic-Code: X-Postfix; Domain example.net does not accept mail (nullMX)\n"), "hard 5.1.0"},
	{"postfix success", dsn("MAILER-DAEMON@mx.example.net", "Successful Mail Delivery Report", "Your message was successfully delivered", "Final-Recipient: rfc822; ana@example.net\nAction: delivered\nStatus: 2.0.0\n"), ""},
	{"relayed", dsn("MAILER-DAEMON@mx.example.net", "Successful Mail Delivery Report", "x", "Final-Recipient: rfc822; ana@example.net\nAction: relayed\nStatus: 2.0.0\n"), ""},
	{"expanded", dsn("MAILER-DAEMON@mx.example.net", "Delivery Status Notification (Success)", "x", "Final-Recipient: rfc822; ana@example.net\nAction: expanded\nStatus: 2.0.0\n"), ""},
	// Exim
	{"exim", "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nX-Failed-Recipients: ana@example.net\nAuto-Submitted: auto-replied\nSubject: Mail delivery failed: returning message to sender\n\nThis message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  ana@example.net\n    host mail.example.net [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<ana@example.net>:\n    550 5.1.1 <ana@example.net>: Recipient address rejected: User unknown\n", "hard 5.1.1"},
	{"exim unrouteable", "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nX-Failed-Recipients: ana@example.net\nSubject: Mail delivery failed: returning message to sender\n\nThis message was created automatically by mail delivery software.\n\n  ana@example.net\n    Unrouteable address\n", "hard "},
	{"exim warning", "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nSubject: Warning: message 1abCDe-0000aB-12 delayed 24 hours\n\nThis message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on mx.example.net.\n\nThe address to which the message has not yet been delivered is:\n\n  ana@example.net\n    Delay reason: connection timed out\n\nNo action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals if the message\nremains undelivered.\n", "delayed "},
	{"exim retry timeout", "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nX-Failed-Recipients: ana@example.net\nSubject: Mail delivery failed: returning message to sender\n\n  ana@example.net\n    retry timeout exceeded\n", "soft "},
	{"exim lmtp full", "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nX-Failed-Recipients: ana@example.net\nSubject: Mail delivery failed: returning message to sender\n\n  ana@example.net\n    LMTP error from remote mail server after end of data:\n    552 5.2.2 <ana@example.net> Quota exceeded (mailbox for user is full)\n", "full 5.2.2"},
	// sendmail
	{"sendmail", dsn("Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>", "Returned mail: see transcript for details", "The original message was received at Mon, 2 Nov 2026 10:00:00 GMT\nfrom localhost\n\n   ----- The following addresses had permanent fatal errors -----\n<ana@example.net>\n    (reason: 550 5.1.1 User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mail.example.net.:\n>>> DATA\n<<< 550 5.1.1 User unknown\n550 5.1.1 <ana@example.net>... User unknown", fin("failed", "5.1.1", "550 5.1.1 User unknown")), "hard 5.1.1"},
	{"sendmail warning", dsn("Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>", "Warning: could not send message for past 4 hours", "    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **", fin("delayed", "4.4.2", "")), "delayed 4.4.2"},
	{"sendmail host unknown", dsn("Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>", "Returned mail: Host unknown (Name server: example.net: host not found)", "550 5.1.2 <ana@example.net>... Host unknown (Name server: example.net: host not found)", fin("failed", "5.1.2", "550 Host unknown")), "hard 5.1.2"},
	// qmail
	{"qmail no mailbox", plain("MAILER-DAEMON@mx.example.net", "failure notice", "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ana@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <updates@example.com>\nMessage-ID: <our-1@example.com>\n"), "hard 5.1.1"},
	{"qmail CNAME", plain("MAILER-DAEMON@mx.example.net", "failure notice", "Hi. This is the qmail-send program at mx.example.net.\n\n<ana@example.net>:\nCNAME lookup failed temporarily. (#4.4.3)\nI'm not going to try again; this message has been in the queue too long."), "soft 4.4.3"},
	{"qmail disk", plain("MAILER-DAEMON@mx.example.net", "failure notice", "Hi. This is the qmail-send program at mx.example.net.\n\n<ana@example.net>:\nThe user's mailbox is over its quota (#5.2.2)"), "full 5.2.2"},
	{"qmail vpopmail", plain("MAILER-DAEMON@mx.example.net", "failure notice", "Hi. This is the qmail-send program at mx.example.net.\n\n<ana@example.net>:\nSorry, no mailbox here by that name. vpopmail (#5.1.1)"), "hard 5.1.1"},
	// Exchange, 365
	{"365", dsn("Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>", "Undeliverable: Digest", "Your message to ana@example.net couldn't be delivered.\n\nana wasn't found at example.net.", fin("failed", "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ana@example.net not found by SMTP address lookup")), "hard 5.1.10"},
	{"365 full", dsn("postmaster@example.net", "Undeliverable: Digest", "The recipient's mailbox is full", fin("failed", "5.2.2", "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded")), "full 5.2.2"},
	{"365 quota 5.2.122", dsn("postmaster@example.net", "Undeliverable: Digest", "The recipient has exceeded their limit for the number of messages they can receive per hour", fin("failed", "5.2.122", "554 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour")), "soft 5.2.122"},
	{"365 access denied", dsn("postmaster@example.net", "Undeliverable: Digest", "x", fin("failed", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [AM5EUR03FT012.eop-EUR03.prod.protection.outlook.com]")), "hard 5.4.1"},
	{"365 restricted", dsn("postmaster@example.net", "Undeliverable: Digest", "Your message couldn't be delivered because you don't have permission", fin("failed", "5.7.1", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required")), "blocked 5.7.1"},
	{"365 spoof", dsn("postmaster@example.net", "Undeliverable: Digest", "x", fin("failed", "5.7.509", "550 5.7.509 Access denied, sending domain example.com does not pass DMARC verification and has a DMARC policy of reject.")), "blocked 5.7.509"},
	{"365 expired", dsn("postmaster@example.net", "Undeliverable: Digest", "x", fin("failed", "5.4.300", "550 5.4.300 Message expired -> 451 4.4.62 Mail sent to the wrong Office 365 region")), "soft 5.4.300"},
	{"365 delayed", dsn("postmaster@example.net", "Delivery delayed:Digest", "Delivery to these recipients or groups is delayed.\n\nSubject: Digest\nThis message hasn't been delivered yet. Delivery will continue to be attempted.", fin("delayed", "4.4.316", "")), "delayed 4.4.316"},
	{"Exchange de", dsn("Microsoft Outlook <postmaster@example.net>", "Unzustellbar: Digest", "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nana@example.net<mailto:ana@example.net>\nDie eingegebene E-Mail-Adresse konnte nicht gefunden werden.", fin("failed", "5.1.1", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found")), "hard 5.1.1"},
	{"Exchange de, words only", plain("postmaster@example.net", "Unzustellbar: Digest", "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nana@example.net\nDas Postfach des Empfängers ist voll und kann zurzeit keine Nachrichten annehmen."), "full "},
	{"Exchange de, unknown, words only", plain("postmaster@example.net", "Unzustellbar: Digest", "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nana@example.net\nDie eingegebene E-Mail-Adresse konnte nicht gefunden werden."), "hard "},
	{"Exchange fr, words only", plain("postmaster@example.net", "Non remis : Digest", "Échec de la remise pour ces destinataires ou groupes :\n\nana@example.net\nL'adresse de messagerie que vous avez entrée est introuvable."), "hard "},
	{"Exchange fr, full", plain("postmaster@example.net", "Non remis : Digest", "Échec de la remise pour ces destinataires ou groupes :\n\nana@example.net\nLa boîte aux lettres du destinataire est pleine."), "full "},
	{"Exchange es", plain("postmaster@example.net", "No se puede entregar: Digest", "Error en la entrega a los siguientes destinatarios o grupos:\n\nana@example.net\nNo se encontró la dirección de correo electrónico que especificó."), "hard "},
	{"Exchange it", plain("postmaster@example.net", "Non recapitabile: Digest", "Recapito non riuscito per i destinatari o i gruppi seguenti:\n\nana@example.net\nL'indirizzo di posta elettronica immesso non è stato trovato."), "hard "},
	{"Exchange nl", plain("postmaster@example.net", "Onbestelbaar: Digest", "Het bezorgen is mislukt voor deze geadresseerden of groepen:\n\nana@example.net\nHet e-mailadres dat u hebt ingevoerd, is niet gevonden."), "hard "},
	{"Exchange old", plain("System Administrator <postmaster@example.net>", "Undeliverable: Digest", "Your message did not reach some or all of the intended recipients.\n\n      Subject:\tDigest\n      Sent:\t11/2/2026 10:00 AM\n\nThe following recipient(s) could not be reached:\n\n      ana@example.net on 11/2/2026 10:00 AM\n            The e-mail account does not exist at the organization this message was sent to.\n            <mx.example.net #5.1.1>"), "hard 5.1.1"},
	// Gmail
	{"gmail", dsn("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)", "** Address not found **\n\nYour message wasn't delivered to ana@example.net because the address couldn't be found, or is unable to receive mail.", fin("failed", "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist. Please try\n 550-5.1.1 double-checking the recipient's email address for typos or\n 550 5.1.1 https://support.google.com/mail/?p=NoSuchUser x - gsmtp")), "hard 5.1.1"},
	{"gmail over quota", dsn("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)", "** Recipient inbox full **", fin("failed", "5.2.2", "552 5.2.2 The recipient's inbox is out of storage space and inactive.")), "full 5.2.2"},
	{"gmail disabled", dsn("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)", "x", fin("failed", "5.2.1", "550 5.2.1 The email account that you tried to reach is disabled. For more information, go to https://support.google.com/mail/?p=DisabledUser")), "soft 5.2.1"},
	{"gmail delay", dsn("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Delay)", "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to ana@example.net. Gmail will retry for 46 more hours. You'll be notified if the delivery fails permanently.", fin("delayed", "4.0.0", "")), "delayed 4.0.0"},
	{"gmail spam", dsn("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)", "** Message blocked **", fin("failed", "5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated.")), "blocked 5.7.26"},
	{"gmail de", dsn("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)", "** Adresse nicht gefunden **\n\nIhre Nachricht wurde nicht an ana@example.net zugestellt, weil die Adresse nicht gefunden wurde oder keine E-Mails empfangen kann.", fin("failed", "5.0.0", "")), "hard 5.0.0"},
	{"gmail rate", dsn("mailer-daemon@googlemail.com", "Delivery Status Notification (Failure)", "x", fin("failed", "4.2.1", "450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered.")), "soft 4.2.1"},
	// Yahoo, Outlook.com
	{"yahoo", plain("MAILER-DAEMON@yahoo.com", "Failure Notice", "Sorry, we were unable to deliver your message to the following address.\n\n<ana@example.net>:\n554: delivery error: dd This user doesn't have a yahoo.com account (ana@example.net) [0] - mta1234.mail.bf1.yahoo.com"), "hard "},
	{"yahoo disabled", plain("MAILER-DAEMON@yahoo.com", "Failure Notice", "Sorry, we were unable to deliver your message to the following address.\n\n<ana@example.net>:\n554: 30: Sorry, your message to ana@example.net cannot be delivered. This mailbox is disabled (554.30)."), "soft "},
	{"yahoo full", plain("MAILER-DAEMON@yahoo.com", "Failure Notice", "Sorry, we were unable to deliver your message to the following address.\n\n<ana@example.net>:\n552: 1: Requested mail action aborted, mailbox not found"), "hard "},
	{"yahoo TSS", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "4.7.0", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints")), "blocked 4.7.0"},
	{"outlook.com block", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.7.1", "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).")), "blocked 5.7.1"},
	{"outlook.com unavailable", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [BL2NAM02FT013.eop-nam02.prod.protection.outlook.com]")), "hard 5.5.0"},
	// SES, gateways
	{"SES", dsn("MAILER-DAEMON@amazonses.com", "Delivery Status Notification (Failure)", "An error occurred while trying to deliver the mail to the following recipients:\nana@example.net", fin("failed", "5.1.1", "550 5.1.1 user unknown")), "hard 5.1.1"},
	{"SES suppression", dsn("MAILER-DAEMON@amazonses.com", "Delivery Status Notification (Failure)", "x", fin("failed", "5.1.1", "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.")), "hard 5.1.1"},
	{"mimecast", dsn("postmaster@example.net", "[Postmaster] Email Delivery Failure", "This is a delivery failure notification message indicating that\nan email you addressed to email address :\n-- ana@example.net\n\ncould not be delivered. The problem appears to be :\n-- Recipient email address is possibly incorrect\n\nAdditional information follows :\n-- 5.4.1 Recipient address rejected: Access denied", fin("failed", "5.4.1", "550 Recipient address rejected: Access denied")), "hard 5.4.1"},
	{"mimecast words", plain("postmaster@example.net", "[Postmaster] Email Delivery Failure", "This is a delivery failure notification message indicating that\nan email you addressed to email address :\n-- ana@example.net\n\ncould not be delivered. The problem appears to be :\n-- Recipient email server rejected the message\n\nAdditional information follows :\n-- 550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550"), "hard "},
	{"mimecast greylist", plain("postmaster@example.net", "[Postmaster] Email Delivery Warning", "This is a delivery notification message indicating that an email you addressed to email address :\n-- ana@example.net\n\nhas not yet been delivered. The problem appears to be :\n-- Recipient server unavailable or busy\n\nYou do not need to resend the message; we will keep trying."), "delayed "},
	{"proofpoint", dsn("MAILER-DAEMON@pphosted.com", "Undelivered Mail", "x", fin("failed", "5.1.1", "550 5.1.1 <ana@example.net>... User unknown")), "hard 5.1.1"},
	{"proofpoint block", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.7.0", "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1")), "blocked 5.7.0"},
	{"barracuda", dsn("postmaster@barracuda.example.net", "**Message you sent blocked by our bulk email filter**", "Your message to: ana@example.net\nwas blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:\n\nSubject: Digest", fin("failed", "5.7.1", "550 5.7.1 Message content rejected, UBE, id=12345-01-2")), "blocked 5.7.1"},
	{"barracuda words", plain("postmaster@barracuda.example.net", "**Message you sent blocked by our bulk email filter**", "Your message to: ana@example.net\nwas blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:\n\nSubject: Digest"), "blocked "},
	// mail.ru, GMX
	{"mail.ru", plain("mailer-daemon@corp.mail.ru", "Mail failure.", "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  ana@example.net\n    invalid mailbox. User not found\n"), "hard "},
	{"mail.ru full", plain("mailer-daemon@corp.mail.ru", "Mail failure.", "The following address(es) failed:\n\n  ana@example.net\n    mailbox quota exceeded\n"), "full "},
	{"yandex", plain("mailer-daemon@yandex.ru", "Недоставленное сообщение", "Это письмо отправлено почтовым сервером yandex.ru.\n\nК сожалению, мы вынуждены сообщить Вам о том, что Ваше письмо не может\nбыть отправлено одному или нескольким адресатам. Технические подробности можно найти ниже.\n\n<ana@example.net>: host mx.example.net[192.0.2.1] said: 550 5.7.1 No such user! (in reply to RCPT TO command)"), "hard 5.7.1"},
	{"GMX", plain("\"GMX Mailer Daemon\" <mailer-daemon@gmx.de>", "Mail delivery failed: returning message to sender", "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of\nits recipients. This is a permanent error. The following address\nfailed:\n\nana@example.net:\nSMTP error from remote server for RCPT TO command, host: mx.example.net (192.0.2.1) reason: 550 Requested action not taken: mailbox unavailable"), "hard "},
	{"GMX full", plain("mailer-daemon@web.de", "Mail delivery failed: returning message to sender", "The following address\nfailed:\n\nana@example.net:\nQuota exceeded. The recipients mailbox is full."), "full "},
	{"T-Online", plain("Mail Delivery System <mailer-daemon@t-online.de>", "Delivery Failure Notification / Benachrichtigung", "|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n|------------------------- Failed addresses follow: ---------------------|\n <ana@example.net> ... unknown user / Teilnehmer existiert nicht"), "hard "},
	// Domino, GroupWise, Zimbra, Courier, MDaemon
	{"domino", plain("postmaster@example.net", "DELIVERY FAILURE: User ana (ana@example.net) not listed in Domino Directory", "Your message\n\n  Subject: Digest\n\nwas not delivered to:\n\n  ana@example.net\n\nbecause:\n\n  User ana (ana@example.net) not listed in Domino Directory"), "hard "},
	{"domino full", plain("postmaster@example.net", "DELIVERY FAILURE: The mail database of the recipient is over its quota", "Your message\n\n  Subject: Digest\n\nwas not delivered to:\n\n  ana@example.net\n\nbecause:\n\n  Error writing to database, Unable to extend an ID table - insufficient memory. Database is over its disk quota"), "full "},
	{"groupwise", plain("<Mailer-Daemon@gw.example.net>", "Message status - undeliverable", "The message that you sent was undeliverable to the following:\n\tana@example.net (user not found)\n\nPossibly truncated original message follows:"), "hard "},
	{"groupwise full", plain("<postmaster@gw.example.net>", "Message status - undeliverable", "The message that you sent was undeliverable to the following:\n\tana@example.net (mailbox full)\n"), "full "},
	{"zimbra", dsn("MAILER-DAEMON@zimbra.example.net (Mail Delivery System)", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.2.2", "LMTP; 552 5.2.2 Over quota")), "full 5.2.2"},
	{"courier", dsn("\"Courier mail server at mx.example.net\" <@>", "NOTICE: mail delivery status.", "This is a delivery status notification from mx.example.net,\nrunning the Courier mail server, version 0.75.\n\nThe original message was received on Mon, 2 Nov 2026\n\n---------------------------------------------------------------------------\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<ana@example.net>:\n    mx.example.net [192.0.2.1]:\n>>> RCPT TO:<ana@example.net>\n<<< 550 User unknown.", fin("failed", "5.0.0", "550 User unknown.")), "hard 5.0.0"},
	{"mdaemon", plain("MDaemon@example.net", "Warning: ana@example.net - User unknown!", "The attached message had PERMANENT fatal delivery errors!\n\nAfter one or more unsuccessful delivery attempts the attached message has\nbeen removed from the mail queue on this server.\n\nFAILED ADDRESSES/REASONS:\n\nYour message was not delivered to the following recipients:\n\nana@example.net: 550 5.1.1 User unknown"), "hard 5.1.1"},
	{"opensmtpd", dsn("Mailer Daemon <MAILER-DAEMON@mx.example.net>", "Delivery status notification: error", "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\nana@example.net: 550 Invalid recipient", fin("failed", "5.0.0", "550 Invalid recipient: <ana@example.net>")), "hard 5.0.0"},
	{"opensmtpd warning", plain("Mailer Daemon <MAILER-DAEMON@mx.example.net>", "Delivery status notification: warning", "    A message is delayed for more than 4 hours for the following\n    list of recipients:\n\nana@example.net: Network error on destination MXs\n\n    Please note that this is only a temporary failure report.\n    The message is kept in the queue for up to 4 days.\n    You DO NOT NEED to re-send the message to these recipients."), "delayed "},
	{"james", plain("postmaster@james.example.net", "Re:Digest", "Hi. This is the James mail server at james.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.  Below\nI include the list of recipients and the reason why I was unable to deliver your message.\n\nFailed recipient(s):\nana@example.net\n\nError message:\n550 5.1.1 unknown user"), "hard 5.1.1"},
	{"hMailServer", plain("mailer-daemon@example.net", "Message undeliverable: Digest", "Your message did not reach some or all of the intended recipients.\n\n   Sent: Mon, 2 Nov 2026 10:00:00\n   Subject: Digest\n\nThe following recipient(s) could not be reached:\n\nana@example.net\n   Error Type: SMTP\n   Remote server (192.0.2.1) issued an error.\n   hMailServer sent: RCPT TO:<ana@example.net>\n   Remote server replied: 550 Unknown user"), "hard "},
	{"sophos", plain("postmaster@utm.example.net", "Mail could not be delivered", "The following message could not be delivered to ana@example.net:\n550 5.1.1 unknown recipient"), "hard 5.1.1"},
	{"sendgrid block", dsn("mailer-daemon@sendgrid.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.0.0", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1")), "blocked 5.7.1"},
	{"icloud", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.2.2", "552 5.2.2 <ana@example.net>: user is over quota (in reply to RCPT TO)")), "full 5.2.2"},
	{"icloud inactive", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.1.6", "550 5.1.6 recipient no longer on server: ana@example.net")), "hard 5.1.6"},
	{"rfc7505", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.1.10", "556 5.1.10 Recipient address has null MX")), "hard 5.1.10"},
	{"tls", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 4.7.5\nDiagnostic-Code: X-Postfix; Server certificate not trusted\n"), "blocked 4.7.5"},
	{"loop", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", "x", fin("failed", "5.4.6", "554 5.4.6 Too many hops")), "soft 5.4.6"},
	{"5.4.14", dsn("MAILER-DAEMON@mx.example.net", "Undeliverable", "x", fin("failed", "5.4.14", "554 5.4.14 Hop count exceeded - possible mail loop ATTR34")), "soft 5.4.14"},
	// forms
	{"utf-8 dsn", strings.NewReplacer("message/delivery-status", "message/global-delivery-status", "rfc822; ana@example.net", "utf-8; ana@example.net", "text/rfc822-headers", "message/global-headers").Replace(dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail", "x", fin("failed", "5.1.1", "550 5.1.1 unknown user"))), "hard 5.1.1"},
	{"status as text", strings.NewReplacer("message/delivery-status", "text/plain; name=status.txt").Replace(dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail", "x", fin("failed", "5.1.1", "550 5.1.1 unknown user"))), "hard 5.1.1"},
	{"status as octets", strings.NewReplacer("Content-Type: message/delivery-status", "Content-Type: application/octet-stream; name=details.txt\nContent-Disposition: attachment").Replace(dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail", "Your mail to ana@example.net failed: unknown user", fin("failed", "5.1.1", "550 5.1.1 unknown user"))), "hard 5.1.1"},
	{"no status", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail", "x", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nDiagnostic-Code: smtp; 550 User unknown\n"), "hard "},
	{"no action", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail", "x", "Final-Recipient: rfc822; ana@example.net\nStatus: 5.1.1\n"), "hard 5.1.1"},
	{"blank line between mta and rcpt missing", strings.Replace(dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail", "x", fin("failed", "5.1.1", "")), "mx.example.net\n\nFinal", "mx.example.net\nFinal", 1), "hard 5.1.1"},
	{"angle final", dsn("MAILER-DAEMON@mx.example.net", "Undelivered Mail", "x", "Final-Recipient: rfc822;<ana@example.net>\nAction: failed\nStatus: 5.1.1 (bad destination mailbox address)\n"), "hard 5.1.1"},
	{"forwarded dsn nested in mixed", "From: MAILER-DAEMON@mx.example.net\nReturn-Path: <>\nTo: updates+b-x@example.com\nSubject: Undelivered Mail\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n" + fin("failed", "5.1.1", "550 5.1.1 unknown user") + "\n--b--\n--o--\n", "hard 5.1.1"},
	// challenge-response, virus
	{"boxbe", plain("\"Boxbe Notifications\" <noreply@boxbe.com>", "Sender Verification Required", "Your message to ana@example.net has not been delivered yet. Please verify."), ""},
	{"earthlink challenge", plain("Ana <ana@example.net>", "Re: Digest", "I apologize for this automatic reply to your email.\n\nTo control spam, I now allow incoming messages only from senders I have approved beforehand."), ""},
}

func TestServersReports(t *testing.T) {
	for _, c := range serverReports {
		r := Read([]byte(crlf(c.mail)), Options{})
		var got []string
		for _, b := range r.Bounces {
			got = append(got, fmt.Sprintf("%s %s", b.Class, b.Status))
			if b.Address != "ana@example.net" {
				t.Errorf("%s: address %q", c.name, b.Address)
			}
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s: %q, want %q (%s)", c.name, s, c.want, r.Report)
		}
		if r.NoAnswer == "" {
			t.Errorf("%s: it may be answered", c.name)
		}
	}
}
