//! Sockets: listeners, TLS, connections, drain, the admin listener.
