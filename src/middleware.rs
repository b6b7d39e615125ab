//! Layers around the gateway: the rings, in one list.
