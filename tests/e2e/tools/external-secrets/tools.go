//go:build tools

// Package tools pins External Secrets Operator, which the harness builds from a copy
// of its sources. Its later versions are several modules that build together only,
// in a checkout.
package tools

import _ "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
