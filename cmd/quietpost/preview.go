package main

import (
	"context"
	"fmt"

	"quietpost/digest"
)

type previewCmd struct {
	Address string `arg:"" help:"Whose digest."`
	Format  string `help:"html, text, or eml: the whole message as it would be sent, but for its signature." enum:"html,text,eml" default:"text"`
	Since   span   `help:"What was received in this time, such as 7d, instead of what has come since the last digest." placeholder:"DURATION"`
}

// Example is printed with the help.
func (*previewCmd) Example() string {
	return "quietpost preview ana@example.com --format html --since 7d > digest.html"
}

// Run prints.
func (c *previewCmd) Run(e *env) error {
	return e.cutting(c.Address, func(ctx context.Context, b *digest.Builder, set *digest.Settings, address string) error {
		now := e.now()
		done, err := b.Preview(ctx, now, set, address, c.Since.since(now))
		if err != nil {
			return err
		}
		if e.json {
			return e.print(previews(done, c.Format), "", nil)
		}
		for _, d := range done {
			if d.Message == nil {
				fmt.Fprintf(e.stderr, "%s: nothing new, so nothing would be sent\n", address)
				continue
			}
			if _, err := fmt.Fprint(e.stdout, body(&d, c.Format)); err != nil {
				return err
			}
		}
		return nil
	})
}

type previewJSON struct {
	Subject string `json:"subject"`
	Window  string `json:"window"`
	Items   int    `json:"items"`
	Format  string `json:"format"`
	Body    string `json:"body"`
}

func previews(done []digest.Now, format string) []previewJSON {
	values := []previewJSON{}
	for _, d := range done {
		if d.Message != nil {
			values = append(values, previewJSON{d.Message.Subject, d.Edition.Window(), d.Edition.Items, format, body(&d, format)})
		}
	}
	return values
}

func body(d *digest.Now, format string) string {
	switch format {
	case "html":
		return d.Rendered.HTML
	case "eml":
		return string(d.Message.Bytes)
	}
	return d.Rendered.Text
}
