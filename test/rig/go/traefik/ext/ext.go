// Package ext stands in for the extensions of Traefik's configuration, which are empty in its open-source build and are published in no
// module of their own.
package ext

// HTTP extends the HTTP configuration.
type HTTP struct{}

// Router extends a router's configuration.
type Router struct{}
