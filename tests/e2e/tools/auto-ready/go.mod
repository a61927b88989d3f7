module tools

go 1.26

require github.com/crossplane/function-auto-ready v0.6.0

replace github.com/crossplane/function-auto-ready => github.com/crossplane-contrib/function-auto-ready v0.6.0
