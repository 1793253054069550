package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	// A byte order mark would be part of the first selector, since other rules come before.
	brand.CSS = bytes.TrimPrefix(brand.CSS, []byte("\ufeff"))
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

// setting is a key of the file that is a flag.
type setting struct {
	// at says where it is.
	at     string
	values []string
}

// readFile reads the configuration file. It returns the keys that are flags, of which
// known has the names, under these names; every other key must be known.
func (c *config) readFile(known []string) (map[string]setting, error) {
	c.places = map[string]string{}
	if c.file == "" {
		return nil, nil
	}
	document, err := readYAML(c.file)
	if err != nil {
		return nil, fileError{err}
	}
	settings := map[string]setting{}
	var f fileConfig
	err = document.keys("must be keys with values, such as \"listen: 127.0.0.1:8080\"", func(key string, e entry) (err error) {
		name := strings.ReplaceAll(key, "_", "-")
		switch {
		case !slices.Contains(known, name):
			return e.decodeField(reflect.ValueOf(&f).Elem(), key, c.places)
		case e.isNull():
			return nil
		}
		s := setting{at: e.String()}
		s.values, err = e.scalars()
		settings[name] = s
		return err
	})
	if err != nil {
		return nil, fileError{err}
	}
	c.scopes, c.defaultScope, c.limits, c.paths = f.Scopes, f.DefaultScope, f.Limits, f.Paths
	c.webhooksFile = f.Webhooks
	if c.brand, err = f.Brand.read(filepath.Dir(c.file)); err != nil {
		return nil, fileError{fmt.Errorf("%s: %w", c.file, err)}
	}
	return settings, nil
}

// at names a key, and the place in the file where that is where its value is from.
func (c *config) at(key string) string { return cmp.Or(c.places[key], key) }

// wrong refuses the value of a key: it is a fault of the file, or of how the command was called.
func (c *config) wrong(key, problem string, args ...any) error {
	err := errors.New(c.at(key) + fmt.Sprintf(problem, args...))
	if _, inFile := c.places[key]; inFile {
		return fileError{err}
	}
	return usageError{err}
}

// settingNames are the flags that the environment and the file can set: those of serve and
// those of every command. What one command alone does is said where it is called.
func settingNames(root *cobra.Command) []string {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(config).serverFlags(flags)
	flags.AddFlagSet(root.PersistentFlags())
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" && f.Name != "help" {
			names = append(names, f.Name)
		}
	})
	return names
}
