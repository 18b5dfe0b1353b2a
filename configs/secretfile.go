package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"strings"
)

// maxSecretFile bounds files that hold one secret or a list of keys.
const maxSecretFile = 64 << 10

// readSecrets fills every secret whose key has a file instead.
func (w *walker) readSecrets(cfg *Config) {
	eachSecret(reflect.ValueOf(cfg).Elem(), "", func(secret, file reflect.Value, key string) {
		path := file.String()
		if path == "" {
			return
		}
		fileKey := key + "_file"
		if !secret.IsZero() {
			w.fault(fileKey, "%s is given as well; remove one of the two", key)
			return
		}
		lines, problem := secretLines(path)
		if problem != "" {
			w.fault(fileKey, "%s: %s", shown(path), problem)
			w.spoil(key)
			return
		}
		if worldReadable(path) {
			w.warn(true, fileKey, "%s: every user of this machine can read it; chmod 0600 it", shown(path))
		}
		if secret.Kind() == reflect.Slice {
			secret.Set(reflect.ValueOf(keyList(lines)))
			return
		}
		if len(lines) > 1 {
			w.fault(fileKey, "%s: holds more than one line; the secret must be its only one", shown(path))
			w.spoil(key)
			return
		}
		secret.Set(reflect.ValueOf(NewSecret(lines[0])))
	})
}

// eachSecret visits every secret that has a sibling for its file.
func eachSecret(v reflect.Value, key string, visit func(secret, file reflect.Value, key string)) {
	for i, name := range keysOf(v.Type()) {
		field, path := v.Field(i), childKey(key, name)
		switch {
		case name == "":
		case isSecret(field):
			if file, ok := fieldByName(v, name+"_file"); ok {
				visit(field, file, path)
			}
		case field.Kind() == reflect.Struct:
			eachSecret(field, path, visit)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for j := range field.Len() {
				eachSecret(field.Index(j), path+"["+itoa(j)+"]", visit)
			}
		}
	}
}

// isSecret tells whether a field is a secret or a list of them.
func isSecret(v reflect.Value) bool {
	return v.Type() == reflect.TypeFor[Secret]() || v.Type() == reflect.TypeFor[[]Secret]()
}

// secretLines reads a file of secrets. One line end at the end is dropped, as
// editors and echo put it there. The second result says what is wrong.
func secretLines(path string) ([]string, string) {
	data, err := readRegular(path, maxSecretFile)
	if err != nil {
		return nil, reason(err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case strings.TrimSpace(text) == "":
		return nil, "is empty; write the secret into it"
	case strings.ContainsRune(text, 0):
		return nil, "holds a NUL character; it must be text"
	}
	return strings.Split(text, "\n"), ""
}

// keyList takes one key a line; blank lines and lines with # are left out.
func keyList(lines []string) []Secret {
	var keys []Secret
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			keys = append(keys, NewSecret(line))
		}
	}
	return keys
}

// readRegular reads a file of at most limit bytes. It opens nothing that could
// block, such as a pipe or a terminal.
func readRegular(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("is larger than %s", Size(limit))
	}
	return data, nil
}

// worldReadable tells whether users outside owner and group may read a file.
func worldReadable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}

// holdsInlineSecret tells whether any secret stands in the file itself.
func (c *Config) holdsInlineSecret() bool {
	found := false
	eachSecret(reflect.ValueOf(c).Elem(), "", func(secret, file reflect.Value, key string) {
		pos, set := c.where[key]
		found = found || set && pos.variable == "" && !secret.IsZero() && file.String() == ""
	})
	return found
}
