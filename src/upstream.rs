//! The pool of connections to gRPC services; it implements `rpc::Caller`.
