//go:build tools

// Package tools pins Crossplane's command line: render, xpkg build, xpkg push.
// It left Crossplane's repository after this version.
package tools

import _ "github.com/crossplane/crossplane/v2/cmd/crank"
