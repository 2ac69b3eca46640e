package config

import (
	"encoding/json"
	"strconv"
	"strings"
)

// schemaObject is an object of a JSON Schema. encoding/json writes its keys in order of the alphabet, so that the
// same table gives the same text.
type schemaObject map[string]any

// JSONSchema is a JSON Schema (draft 2020-12) of hotcold.conf, made of the table: what stands under "hotcold" is known,
// all other keys belong to the node. It says less than Load checks.
func JSONSchema() string {
	rows := table()
	root := schemaObject{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hotcold.conf", "type": "object",
		"description": "Keys beside hotcold belong to the node.",
		"properties":  schemaObject{"hotcold": schemaAt(rows, "hotcold")},
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		// Texts and maps of them can always be marshalled.
		panic("config: " + err.Error())
	}
	return string(text) + "\n"
}

// schemaAt is the schema of the object at path.
func schemaAt(rows []Setting, path string) schemaObject {
	properties := schemaObject{}
	for _, key := range childKeys(rows, path) {
		if key == anyName {
			return schemaObject{"type": "object", "additionalProperties": schemaAt(rows, path+"."+key)}
		}
		properties[key] = schemaAt(rows, path+"."+key)
		for _, s := range rows {
			if s.Path == path+"."+key {
				properties[key] = schemaOf(s)
			}
		}
	}
	return schemaObject{"type": "object", "properties": properties, "additionalProperties": false}
}

// schemaOf is the schema of one setting.
func schemaOf(s Setting) schemaObject {
	o := schemaObject{"description": s.Meaning + " Default: " + s.DefaultInWords() + "."}
	if s.Min != "" && s.Type != TypeInt {
		o["description"] = s.Meaning + " From " + s.Min + " to " + s.Max + ". Default: " + s.DefaultInWords() + "."
	}
	texts := schemaObject{"type": "array", "items": schemaObject{"type": "string"}}
	switch s.Type {
	case TypeBool:
		o["type"] = "boolean"
	case TypeInt:
		o["type"] = "integer"
		o["minimum"], o["maximum"] = number(s.Min), number(s.Max)
	case TypeDuration, TypeSize:
		o["type"] = []string{"number", "string"}
	case TypeChoice:
		o["enum"] = s.Choices
	case TypeCommand:
		o["anyOf"] = []schemaObject{{"type": "string"}, texts}
	case TypeAddrs, TypeNets, TypeTexts, TypePatterns:
		o["type"], o["items"] = "array", schemaObject{"type": "string"}
	case TypeEnv:
		o["type"], o["additionalProperties"] = "object", schemaObject{"type": []string{"string", "number", "boolean"}}
	default:
		o["type"] = "string"
	}
	return o
}

// number is a bound of the table, which a test has read.
func number(text string) json.Number {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		panic("config: the table has an unreadable bound: " + err.Error())
	}
	return json.Number(strconv.FormatInt(n, 10))
}
