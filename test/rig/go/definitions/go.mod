module bascule.dev/rig/definitions

go 1.26.8

// Modules that ship custom resource definitions: files are read from them, nothing is built.
require (
	github.com/openservicemesh/osm v1.2.4
	istio.io/api v1.31.4
	sigs.k8s.io/gateway-api v1.6.1
)
