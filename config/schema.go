package config

import (
	"encoding/json"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schema is a JSON Schema (draft 2020-12) of the file, for editors. It knows keys, types, words and bounds; what only
// the whole file can tell is left to Load.
func Schema() ([]byte, error) {
	s := root()
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "quietpost.yaml"
	return json.MarshalIndent(s, "", "  ")
}

func root() *jsonschema.Schema { return objectSchema(new(Config).keys(Options{})) }

// objectSchema is the schema of a section's table.
func objectSchema(keys []key) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type:                 "object",
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, k := range keys {
		k.value.schema.Description = k.about
		s.Properties[k.name] = k.value.schema
		s.PropertyOrder = append(s.PropertyOrder, k.name)
		if k.required {
			s.Required = append(s.Required, k.name)
		}
	}
	if s.Required == nil { // a section of which nothing is needed may be empty
		s.Type, s.Types = "", []string{"object", "null"}
	}
	return s
}

// sectionsOf are the sections that have a key of this name, "" for the top of the file.
func sectionsOf(name string) []string {
	var found []string
	var walk func(path string, s *jsonschema.Schema)
	walk = func(path string, s *jsonschema.Schema) {
		if s.Items != nil {
			s = s.Items
		}
		if _, ok := s.Properties[name]; ok {
			found = append(found, path)
		}
		for k, sub := range s.Properties {
			walk(place{path: path}.key(key{name: k}).path, sub)
		}
	}
	walk("", root())
	slices.Sort(found)
	return found
}
