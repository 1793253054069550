package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/latchkey/latchkey/internal/page"
)

// fileConfig are the keys of the file that are more than a flag.
type fileConfig struct {
	Scopes       []scopeConfig  `yaml:"scopes"`
	DefaultScope []string       `yaml:"default_scope"`
	Limits       limitsConfig   `yaml:"limits"`
	Paths        pathsConfig    `yaml:"paths"`
	Brand        brandConfig    `yaml:"brand"`
	Webhooks     webhooksConfig `yaml:"webhooks"`
}

type scopeConfig struct {
	Name        string `yaml:"name" json:"name"`
	Description string `yaml:"description" json:"description"`
	Approval    string `yaml:"approval" json:"approval,omitempty"`
	Consent     string `yaml:"consent" json:"consent,omitempty"`
	Sensitive   bool   `yaml:"sensitive" json:"sensitive,omitempty"`
}

// brandConfig is how a platform makes the pages its own. Logo and CSS name files,
// relative to the configuration.
type brandConfig struct {
	Name   string `yaml:"name"`
	Logo   string `yaml:"logo"`
	Accent string `yaml:"accent"`
	CSS    string `yaml:"css"`
}

// maxBrandFile is the size of a logo or a stylesheet in bytes: they are on every page.
const maxBrandFile = 20 << 10

// read reads the files of a brand that lie beside the configuration.
func (b brandConfig) read(folder string) (page.Brand, error) {
	brand := page.Brand{Name: b.Name, Accent: b.Accent}
	var err error
	if brand.CSS, err = brandFile(folder, "css", b.CSS); err != nil {
		return brand, err
	}
	if brand.Logo, err = brandFile(folder, "logo", b.Logo); err != nil {
		return brand, err
	}
	switch kind := http.DetectContentType(brand.Logo); {
	case brand.Logo == nil:
	case strings.EqualFold(filepath.Ext(b.Logo), ".svg"):
		brand.LogoType = "image/svg+xml"
	case strings.HasPrefix(kind, "image/"):
		brand.LogoType = kind
	default:
		return brand, fmt.Errorf("brand: logo: %s is not an image", b.Logo)
	}
	return brand, brand.Check()
}

func brandFile(folder, key, name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("brand: %s: %w", key, err)
	}
	if len(raw) > maxBrandFile {
		return nil, fmt.Errorf("brand: %s: %s has more than %d KiB", key, name, maxBrandFile>>10)
	}
	return raw, nil
}

type limitsConfig struct {
	Exempt []string `yaml:"exempt"`
}

type pathsConfig struct {
	Authorize  string `yaml:"authorize"`
	Token      string `yaml:"token"`
	Revoke     string `yaml:"revoke"`
	Introspect string `yaml:"introspect"`
	Check      string `yaml:"check"`
	Me         string `yaml:"me"`
}

// readFile reads the configuration file. It returns the keys that are flags of
// some command, under the names of the flags; every other key must be known.
func (c *config) readFile(root *cobra.Command) (map[string][]string, error) {
	if c.file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(c.file)
	if err != nil {
		return nil, fileError{fmt.Errorf("the configuration cannot be read: %w", err)}
	}
	var all map[string]yaml.Node
	if err := yaml.Unmarshal(raw, &all); err != nil {
		return nil, fileError{fmt.Errorf("%s is not valid YAML: %w", c.file, err)}
	}
	known := flagNames(root)
	keys := map[string][]string{}
	rest := map[string]yaml.Node{}
	for key, node := range all {
		name := strings.ReplaceAll(key, "_", "-")
		switch {
		case node.Tag == "!!null":
			continue
		case !slices.Contains(known, name):
			rest[key] = node
			continue
		case keys[name] != nil:
			return nil, fileError{fmt.Errorf("%s: %s is configured twice", c.file, key)}
		}
		if keys[name], err = scalars(node); err != nil {
			return nil, fileError{fmt.Errorf("%s: %s: %w", c.file, key, err)}
		}
	}
	return keys, c.readStructured(rest)
}

func (c *config) readStructured(rest map[string]yaml.Node) error {
	encoded, err := yaml.Marshal(rest)
	if err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(encoded))
	d.KnownFields(true)
	var f fileConfig
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return fileError{fmt.Errorf("%s: %s", c.file, readableYAML(err))}
	}
	c.scopes, c.defaultScope, c.limits, c.paths = f.Scopes, f.DefaultScope, f.Limits, f.Paths
	c.webhooksFile = f.Webhooks
	if c.brand, err = f.Brand.read(filepath.Dir(c.file)); err != nil {
		return fileError{fmt.Errorf("%s: %w", c.file, err)}
	}
	return nil
}

// readableYAML takes the names of this program out of the parser's messages.
func readableYAML(err error) string {
	var broken *yaml.TypeError
	if !errors.As(err, &broken) {
		return err.Error()
	}
	message := strings.Join(broken.Errors, "; ")
	if _, field, ok := strings.Cut(message, "field "); ok && strings.Contains(message, "not found in type") {
		key, _, _ := strings.Cut(field, " ")
		return "unknown key: " + key
	}
	return message
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if f.Name != "config" && f.Name != "help" {
			names = append(names, f.Name)
		}
	}
	cmd.PersistentFlags().VisitAll(add)
	cmd.Flags().VisitAll(add)
	for _, child := range cmd.Commands() {
		names = append(names, flagNames(child)...)
	}
	return names
}

// scalars reads one value or a list of values.
func scalars(node yaml.Node) ([]string, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return []string{node.Value}, nil
	case yaml.SequenceNode:
		var values []string
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, errors.New("must be a list of plain values")
			}
			values = append(values, item.Value)
		}
		return values, nil
	}
	return nil, errors.New("must be a plain value or a list of them")
}
