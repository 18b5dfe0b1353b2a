package configs

import (
	"bytes"
	_ "embed" // for the sample
	"slices"

	"go.yaml.in/yaml/v3"
)

//go:embed portico.sample.yaml
var sample []byte

// Sample gives the annotated configuration file: every option with its
// default. It is valid once its directory is a real one.
func Sample() []byte { return slices.Clone(sample) }

// Redacted writes the whole configuration, defaults included, as YAML that
// holds no secret: set ones are shown as a mask.
func (c *Config) Redacted() ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}
