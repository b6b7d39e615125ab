module bench

go 1.24

require (
	connectrpc.com/vanguard v0.4.0
	golang.org/x/net v0.44.0
	google.golang.org/protobuf v1.36.10
)
