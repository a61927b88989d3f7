//go:build tools

// Package tools pins crane, which serves a registry that functions are pulled
// from.
package tools

import _ "github.com/google/go-containerregistry/cmd/crane"
