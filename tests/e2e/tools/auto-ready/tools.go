//go:build tools

// Package tools pins a function that other pipelines end with.
package tools

import _ "github.com/crossplane/function-auto-ready"
