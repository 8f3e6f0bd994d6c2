// Package digest is the domain of quietpost: what an update is, whose it is, when it leaves and how that is
// written down. It touches nothing: no network, no disk, no clock (now is an argument) and no log. What it needs
// from others (Store, Renderer, Composer, Transport) it declares beside the types they speak; a rule is a pure
// function here, and one method of a store is one transaction there.
//
// The files stand in the order in which an update meets them:
//
//	item.go        an update, its number, its thread
//	receipt.go     one delivery as it arrived, and its key
//	intake.go      project, kind and urgency by rule; then the first durable rest: AddItems
//	incident.go    urgent items of one thread; alert.go: who is told of them, and when (pure)
//	subscriber.go  people and their subscriptions; desk.go: what can be done with them
//	select.go      what of a window belongs to a subscription; group.go: projects and threads
//	edition.go     one mail's content and its window of numbers; builder.go cuts it: the second and third rest
//	outbox.go      one row a message; sender.go hands it over: lease, send, report: the fourth rest
//	archive.go     what can be read back
//	store.go       the contract of every store, in one place; errors.go the few kinds of error
package digest
