package tools

import (
	"regexp"
	"strings"
)

// wanted are the names under which tools keep one thing, best first, compared without case, '_' and '-'; then the ends
// of the longer names that senders make of the usual ones (ticket_subject, monitor_friendly_name, results_link), ranked
// behind those, but for names that only look so.
type wanted struct {
	names map[string]int
	ends  []string
	but   *regexp.Regexp
}

// names makes what is wanted of its names.
func names(list ...string) wanted { return wanted{names: fields(list...)} }

// ending adds the ends of longer names.
func (w wanted) ending(but string, ends ...string) wanted {
	w.ends, w.but = ends, regexp.MustCompile(but)
	return w
}

const firstEnd = 30 // the rank of the first of ends

func (w *wanted) rank(key string) (rank int, ok bool) {
	if rank, ok = w.names[key]; ok {
		return rank, true
	}
	for i, end := range w.ends {
		if strings.HasSuffix(key, end) && !w.but.MatchString(key) {
			return firstEnd + i, true
		}
	}
	return 0, false
}

// fields makes a table of names and their rank; names with a | between them have one.
func fields(names ...string) map[string]int {
	m := make(map[string]int, len(names))
	for i, n := range names {
		for n := range strings.SplitSeq(n, "|") {
			m[n] = i
		}
	}
	return m
}

func fieldSet(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

var (
	titleNames = names("title|titel|titre|titulo", "displaytitle", "summary", "subject|betreff|asunto|objet", "headline", "shortmessage", "alertname|detectionname|threatname|findingname|vulnerabilityname",
		"rulename", "alertrule", "alarmname|alerttitle|incidenttitle|incidentname|shortdescription|messagetitle|eventtitle|notificationtitle",
		"message|summarymessage|eventmessage", "msg", "text|statemessage|textpayload|storytext", "name|alert|alarm", "displayname", "featurename", "pulsename", "itemname", "productname",
		"searchname", "checkname|testname", "jobname", "formname", "rule", "description|eventdesc|eventdescription", "content", "label", "identifier",
		"comment", "note",
		"plaintextbody", "body", "output", "reason", "data", "memo", "statusdetails|statusmessage|statusdescription").
		ending(notTheTitle, "title", "subject", "summary", "headline", "friendlyname", "checkname", "searchname",
			"rulename", "alarmname",
			"productname", "itemname", "featurename", "formname", "filename", "message", "comment", "details",
			"plaintext", "output")
	anyNames  = names().ending(notAName, "name")
	bodyNames = names("body", "description", "longdescription", "message", "text", "details", "detail", "content", "msg",
		"comment", "note", "notes", "errormessage", "reason", "output", "longmessage", "summary", "plain").
		ending(notTheTitle, "description", "body", "message", "details", "text", "reason")
	urlNames = names("htmlurl", "weburl", "permalink", "titlelink", "browserurl", "panelurl", "dashboardurl", "incidenturl",
		"alerturl", "issueurl", "buildurl", "runurl", "targeturl", "detailsurl", "logurl", "fullurl", "url", "link",
		"href", "uri", "shorturl",
		"appurl", "generatorurl", "externalurl", "web", "html", "projecturl").
		ending(notAPage, "htmlurl", "weburl", "permalink", "shortlink", "deeplink", "detailsurl", "pageurl", "dashboardlink", "url",
			"link")
	authorNames = names("author", "actor", "user", "sender", "username", "userdisplayname", "createdby", "updatedby", "creator",
		"triggeredby", "pushedby", "who", "doer", "performedby", "reporter", "operator", "membercreator", "agent", "authorname",
		"pusher", "committer", "changer",
		"submitter", "uploader", "initiator", "requester", "member", "authorfullname", "requestedfor",
		"laststatuschangeby", "createduser", "eventcreator", "from", "visitor").
		ending(`sort|group|order|assign|owned|follow|powered|stand|near|image|file|host|repo|project|job|group|build|unit`, "authorname", "fullname", "requestername", "sendername", "edby", "unby", "sentby", "author", "committer",
			"committername", "localusername", "authorlogin")
	personNames = names("displayname", "fullname", "name", "login", "username", "nickname", "summary", "title", "email",
		"user", "handle")
	projectNames = names("project", "projectname", "projectslug", "projectkey", "repository", "repo", "reponame",
		"repositoryname",
		"service", "servicename", "application", "applicationname", "app", "appname", "site", "sitename", "workspace",
		"workspacename", "board", "pipeline", "pipelinename", "integrationname", "collective", "alertsource", "topicarn",
		"namespace", "job", "jobname",
		"buildname", "product", "team", "space", "monitor", "monitorname", "check", "checkname", "snitch",
		"healthchecks", "healthcheck", "stream", "bucket",
		"zonename", "zone", "watchname", "shop", "store", "collection", "services", "alertpolicynames", "topic",
		"conditionname", "policyname", "receiver", "clustername", "cluster", "accountname",
		"organizationname", "organization", "orgname", "org", "tenant").
		ending(`user|author|owner|event|type|policy`, "projectname", "reponame", "repositoryname", "servicename",
			"applicationname", "sitename", "workspacename", "connectorname", "connectionname",
			"monitorfriendlyname", "monitorname", "checkname", "project", "repository")
	projectParts = names("fullname", "pathwithnamespace", "repofullname", "reponame", "slug", "key", "name",
		"identifier", "alias", "friendlyname", "summary", "title",
		"login", "displayname")
	threadNames = names("thread", "threadkey", "dedupkey", "dedupekey", "groupkey", "aggregationkey", "incidentkey",
		"incidentid", "alertid", "alertuid", "fingerprint", "monitorid", "issuekey", "ticketid", "alertcorrelationid",
		"correlationid")
	stateNames = names("conclusion", "outcome", "result", "currentstate", "alertstate", "servicestate", "status", "state", "hoststate", "newstatus",
		"newstate", "buildresult", "buildstatus",
		"runstatus", "alerttransition", "alertaction", "monitorcondition", "transition", "phase").
		ending(`old|prev|last|original|before|from|code|merge|http|scan|financ|fulfil|payment|hook`, "status", "state",
			"statename", "statevalue", "stateid", "statusstring", "typefriendlyname", "result")
	levelNames = names("severity", "level", "loglevel", "severitytext", "alertlevel", "priority", "prioritylabel", "urgency",
		"criticality", "importance", "importancelevel", "impact").
		ending(`old|prev|last|original|before|from|code|log|confidence`, "severity", "priority", "level", "severitystring", "severityname", "severitylabel")
	eventNames = names("eventtype", "eventname", "webhookevent", "triggerevent", "event", "objectkind", "kind", "trigger", "triggertype",
		"hookevent", "topic", "type",
		"notificationtype", "action", "alerttype", "activitytype", "notifytype", "scope", "hook", "category",
		"eventcategory", "payloadtype", "webhookeventtype", "webhooktype", "detailtype")
	timeNames = names("occurredat", "when", "occurat", "timestamp", "time", "eventtime", "eventtimestamp", "date", "datetime",
		"emittedat", "firedat", "fireddatetime", "triggeredat", "triggertime",
		"startsat", "startedat", "completedat", "finishedat", "finishtime", "publishedat", "publishedon", "submittedat",
		"pushedat", "mergedat", "closeddate",
		"updatedat", "updatedon", "createdat", "created", "createdon", "createddate", "creationdate", "eventcreatedon",
		"occurreddate", "reporttime", "generatedat",
		"issuedat", "changedat", "sentat", "receivedat", "ts", "epoch", "finished", "started", "stopat", "lastchecked").
		ending(`previous|old|expir|due|until|next|last|first|log|start|api|offset|trial|period|birth|^air|release`, "updatedat",
			"createdat", "finishedat", "timestamp", "datetime", "timeiso", "eventat", "date", "time")
)

const (
	notTheTitle = `image|icon|avatar|logo|^api|callback|hook|subscrib|thumb|user|author|board|previous|^old|cert|^sign` +
		`|^base|canon|contact|type|person|owner|account|^org|company|status|^job|file$|environment|project` +
		`|repository|reponame`
	notAName = `user|author|store|shop|committer|creator|entity|person|people|owner|first|last|middle|nick|sur|display|full|event|class|type|tag|field|branch|ref|host|server|node|queue|realm|tenant|client` +
		`|domain|zone|region|group|team|site|service|app|customer|recipient|sender|requester|assignee|member|contact|config|hook|index` +
		`|key|instance|cluster|space|account|company|^org|project|repo|environment|status|state|level|color|bucket|namespace|machine|device|property|attribute|param`
	notAPage = `endpoint|image|icon|avatar|logo|^api|apiurl|callback|hook|subscrib|thumb|user|author|board$|previous|^old` +
		`|cert|^sign|signature|^base|baseurl|canon|contact|type|silence|runbook|^docs|documentation|^edit` +
		`|mute|^ack|acknowledge|resolve|confirm|download|^git|^ssh|^clone|owner|^test|site$|^server|picture|photo`
)

// aside are objects about something else than what happened: their titles, states and times are not the delivery's.
var aside = fields("user", "users", "sender", "author", "owner", "actor", "creator", "assignee", "assignees",
	"assignedto", "repository", "repo",
	"project", "organization", "organisation", "enterprise", "installation", "account", "team", "links", "link",
	"config", "configuration", "settings", "headers", "old", "oldrecord",
	"previous", "previousattributes", "previousstate", "previousvalue", "previousstatus", "before", "predata", "changes",
	"changelog", "parent", "base", "labels", "metadata", "meta", "members", "reviewers",
	"avatar", "icon", "image", "images", "watchers", "permissions", "membercreator", "reporter", "createdby",
	"updatedby", "publishedby", "revisedby", "model",
	"priority", "issuetype", "workspace", "board", "customer", "status", "state", "environment", "plan", "committer", "locale",
	"workflowdefinition", "currentrevision", "server", "player", "hook", "webhook", "subscription", "app", "application", "client", "agent", "service",
	"conditions", "backlog", "laststatuschangeby", "memberconcern", "workplace", "table", "initiator", "approver", "submitter", "uploader")
