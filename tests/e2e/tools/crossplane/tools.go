//go:build tools

// Package tools pins Crossplane's core.
package tools

import _ "github.com/crossplane/crossplane/v2/cmd/crossplane"
