//! Clients of gRPC's own services, which build.rs generates from `proto/grpc`: reflection, in
//! both of its versions. Look into the protos for what they mean; [`super::Client`] is what they call by.
#![allow(
    clippy::all,
    clippy::pedantic,
    reason = "generated code: what it looks like is decided by prost and tonic"
)]

include!(concat!(env!("OUT_DIR"), "/services/services.rs"));
