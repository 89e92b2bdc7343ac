module bascule.dev/rig/sample

go 1.24
