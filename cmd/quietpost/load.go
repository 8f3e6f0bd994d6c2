package main

import (
	"fmt"
	"os"

	"quietpost/collector/tools"
	"quietpost/collector/webhook"
	"quietpost/config"
	"quietpost/digest"
	"quietpost/digest/rules"
	"quietpost/digest/schedule"
)

// loaded is a configuration with what only the daemon reads: secrets.
type loaded struct {
	*config.Config
	dataDir string
	sources []webhook.Source
	tokens  [][]byte // of the reading API
	policy  *digest.Policy
	tools   *tools.Library
}

func (e *env) options() config.Options {
	return config.Options{Getenv: e.getenv, SourceTypes: e.sourceTypes,
		ParseSchedule: func(s string) error { _, err := schedule.Parse(s); return err },
		ParseQuiet:    func(s string) error { _, err := schedule.ParseQuiet(s); return err }}
}

// shipped are the tools that come with the program.
func shipped() (*tools.Library, error) { return tools.NewLibrary(nil) }

// library is all tools there are, with the map files of a folder, "" for none.
func (e *env) library(dir string) (*tools.Library, error) {
	if dir == "" {
		return e.shipped()
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	return tools.NewLibrary(os.DirFS(dir))
}

func (e *env) sourceTypes(dir string) ([]string, error) {
	lib, err := e.library(dir)
	if err != nil {
		return nil, err
	}
	return lib.Names(), nil
}

// libraryOf is the library of a configuration.
func (e *env) libraryOf(cfg *config.Config) (*tools.Library, error) {
	dir, err := resolve(cfg.ToolsDir)
	if err != nil {
		return nil, fmt.Errorf("tools_dir: %w", err)
	}
	return e.library(dir)
}

// read reads a file without any secret.
func (e *env) read() (*config.Config, error) {
	file, err := e.configFile()
	if err != nil {
		return nil, err
	}
	cfg, faults := config.Load(file, e.options())
	if cfg == nil {
		return nil, faults.Err()
	}
	return cfg, nil
}

// load reads a file and the secrets of the doors. Those of the mail servers are read at each login.
func (e *env) load(file string) (*loaded, error) {
	cfg, faults := config.Load(file, e.options())
	if cfg == nil {
		return nil, faults.Err()
	}
	if shared := cfg.SecretFaults(); len(shared) > 0 {
		return nil, shared.Err()
	}
	c := &loaded{Config: cfg}
	var err error
	if c.dataDir, err = resolve(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	if c.policy, err = policyOf(cfg); err != nil {
		return nil, err
	}
	if c.tools, err = e.libraryOf(cfg); err != nil {
		return nil, err
	}
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		src, err := sourceOf(s, c.tools)
		if err != nil {
			return nil, err
		}
		if s.SecretFile.Set() {
			if src.Secrets, err = config.ReadSecrets(s.SecretFile); err != nil {
				return nil, fmt.Errorf("%s:%d: source %s: %w", file, s.Pos.Line, s.Name, err)
			}
		}
		c.sources = append(c.sources, src)
	}
	if cfg.API.TokenFile.Set() {
		if c.tokens, err = config.ReadSecrets(cfg.API.TokenFile); err != nil {
			return nil, fmt.Errorf("api.token_file: %w", err)
		}
	}
	return c, nil
}

// sourceOf is a source as the door takes it, without its secrets.
func sourceOf(s *config.Source, lib *tools.Library) (webhook.Source, error) {
	src := webhook.Source{Name: s.Name, Type: s.Type, Project: s.Project, Open: s.Open, From: s.From, Rate: s.Rate}
	if m := s.MapSources(); m != nil {
		compiled, part, err := rules.NewMap(m)
		if err != nil {
			return src, fmt.Errorf("source %s: map.%s: %w", s.Name, part, err) // the file was found good: a fault in the program
		}
		own, err := lib.Adapter(s.Type)
		if err != nil {
			return src, fmt.Errorf("source %s: %w", s.Name, err)
		}
		src.Adapter = tools.Mapped(compiled, own)
	}
	return src, nil
}

// policyOf is what the file says of items.
func policyOf(cfg *config.Config) (*digest.Policy, error) {
	p := digest.Policy{Kinds: map[string]digest.KindPolicy{}, Sources: map[string]string{}}
	for _, pr := range cfg.Projects {
		p.Projects = append(p.Projects, digest.Project{Key: pr.Name, Title: pr.Title, Aliases: pr.Aliases, Owners: pr.Owners})
	}
	for k, v := range cfg.Kinds {
		p.Kinds[k] = digest.KindPolicy{Urgent: v.Urgent}
	}
	for _, s := range cfg.Sources {
		p.Sources[s.Name] = s.Project
	}
	for i := range cfg.Rules {
		r, part, err := rules.NewRule(cfg.Rules[i].Source(i))
		if err != nil {
			return nil, fmt.Errorf("rule %d: %s: %w", i+1, part, err) // as above
		}
		p.Rules = append(p.Rules, r)
	}
	return digest.NewPolicy(p), nil
}

// resolve gives a path with its variables expanded; "" for one that is not set.
func resolve(p config.Path) (string, error) {
	if !p.Set() {
		return "", nil
	}
	return p.Resolve()
}

// password gives the function that reads a password at each login; what cannot be read now is an error at once.
func password(p config.Path) (func() (string, error), error) {
	if !p.Set() {
		return nil, nil
	}
	_, err := config.ReadPassword(p)
	return func() (string, error) { return config.ReadPassword(p) }, err
}
