package webhook

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Requests as the documentation of ntfy, Gotify and Telegram shows them, with only host and path changed.
func TestSenders(t *testing.T) {
	key := [][]byte{[]byte("tk_AgQdq7mVBoFD37zQ")}
	for _, c := range []struct {
		name, method, path, body string
		head                     []string
		status                   int
		title, text, project     string
		urgent                   bool
		answer                   string
	}{
		{"ntfy: a title, a priority and tags", "POST", "/hooks/push/phil_alerts", "Remote access to phils-laptop detected. Act right away.",
			[]string{"Authorization: Bearer tk_AgQdq7mVBoFD37zQ", "Title: Unauthorized access detected", "Priority: urgent", "Tags: warning,skull"},
			200, "Unauthorized access detected", "Remote access to phils-laptop detected. Act right away.", "phil_alerts", true, `"event":"message"`},
		{"ntfy: put, no title", "PUT", "/hooks/push/backups", "Backup successful", []string{"Authorization: Basic OnRrX0FnUWRxN21WQm9GRDM3elE="}, 200, "Backup successful", "", "backups", false, `"topic":"backups"`},
		{"ntfy: the short names, encoded", "POST", "/hooks/push/disk", "full", []string{"Authorization: Bearer tk_AgQdq7mVBoFD37zQ", "ti: =?UTF-8?B?UGxhdHRlIHZvbGwg8J+YgA==?=", "prio: 5"}, 200, "Platte voll 😀", "full", "disk", true, ``},
		{"ntfy: all in the query", "GET", "/hooks/push/mywebhook/publish?message=Webhook+triggered&priority=high&auth=QmVhcmVyIHRrX0FnUWRxN21WQm9GRDM3elE", "", nil, 200, "Webhook triggered", "", "mywebhook", false, ``},
		{"ntfy: only triggered", "GET", "/hooks/push/mywebhook/trigger", "", []string{"Authorization: Bearer tk_AgQdq7mVBoFD37zQ"}, 200, "Mywebhook triggered", "", "mywebhook", false, ``},
		{"ntfy: JSON", "POST", "/hooks/push", `{"topic":"mytopic","message":"Disk space is low at 5.1 GB","title":"Low disk space alert","tags":["warning","cd"],"priority":5,"click":"https://homecamera.lan/xasds1h2xsSsa/"}`,
			[]string{"Authorization: Bearer tk_AgQdq7mVBoFD37zQ"}, 200, "Low disk space alert", "Disk space is low at 5.1 GB", "mytopic", true, `"topic":"mytopic"`},
		{"ntfy: the secret as the topic", "POST", "/hooks/push/tk_AgQdq7mVBoFD37zQ", "hi", nil, 200, "hi", "", "", false, ``},
		{"ntfy: a topic alone is no secret", "POST", "/hooks/push/mytopic", "hi", nil, 401, "", "", "", false, ``},
		{"ntfy: a wrong auth", "POST", "/hooks/push/mytopic?auth=QmVhcmVyIG5v", "hi", nil, 401, "", "", "", false, ``},
		{"gotify: a form", "POST", "/hooks/gotify/message?token=tk_AgQdq7mVBoFD37zQ", "title=my+title&message=my+message&priority=5", []string{"Content-Type: application/x-www-form-urlencoded"}, 200, "my title", "my message", "", false, `"id":1042`},
		{"gotify: JSON and a header", "POST", "/hooks/gotify/message", `{"message":"Disk is full","priority":10,"title":"db1","extras":{"client::notification":{"click":{"url":"https://db1.example.com"}}}}`,
			[]string{"X-Gotify-Key: tk_AgQdq7mVBoFD37zQ"}, 200, "db1", "Disk is full", "", true, `"appid":1`},
		{"gotify: a wrong token", "POST", "/hooks/gotify/message?token=AbC", `{"message":"x"}`, nil, 401, "", "", "", false, ``},
		{"telegram", "POST", "/hooks/bot/bottk_AgQdq7mVBoFD37zQ/sendMessage", `{"chat_id":"@ops","text":"<b>Deploy done</b>\nv2 is live","parse_mode":"HTML"}`, nil, 200, "Deploy done", "Deploy done\nv2 is live", "ops", false, `"ok":true`},
		{"telegram: a wrong token", "POST", "/hooks/bot/bot1:no/sendMessage", `{"chat_id":1,"text":"x"}`, nil, 401, "", "", "", false, ``},
		{"teams", "POST", "/hooks/teams/tk_AgQdq7mVBoFD37zQ", `{"@type":"MessageCard","title":"Build failed on main","text":"Two tests fail","themeColor":"DD0000"}`, nil, 200, "Build failed on main", "Two tests fail", "", false, `1`},
		{"google chat", "POST", "/hooks/gchat/tk_AgQdq7mVBoFD37zQ", `{"text":"*Build failed*: <https://ci.example.com/7|run 7>"}`, nil, 200, "Build failed: run 7", "", "", false, `"name":"spaces/`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, in := testHandler(nil)
			h.SetSources([]Source{{Name: "push", Type: "ntfy", Secrets: key}, {Name: "gotify", Type: "gotify", Secrets: key}, {Name: "bot", Type: "telegram", Secrets: key},
				{Name: "teams", Type: "msteams", Secrets: key}, {Name: "gchat", Type: "googlechat", Secrets: key}})
			w := do(h, c.method, c.path, c.body, c.head...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.answer) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if c.status != http.StatusOK {
				return
			}
			if text := w.Body.Bytes(); c.answer != "1" && !json.Valid(text) {
				t.Errorf("no JSON: %s", text)
			}
			d := in.last(t)
			if len(d.Items) != 1 {
				t.Fatalf("%+v", d.Receipt)
			}
			it := d.Items[0]
			if it.Title != c.title || c.text != "" && it.Body != c.text || it.Project != c.project || it.Urgent != c.urgent {
				t.Errorf("[%s] %q %q urgent %t", it.Project, it.Title, it.Body, it.Urgent)
			}
			if !it.Authenticated || strings.Contains(string(d.Receipt.Header)+string(d.Receipt.Raw)+w.Body.String(), "tk_Ag") {
				t.Errorf("authenticated %t; the secret is kept: %s %s", it.Authenticated, d.Receipt.Header, d.Receipt.Raw)
			}
		})
	}
}
