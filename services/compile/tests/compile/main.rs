//! The compile service with real compilers, driven as a client drives it.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod sandbox;

mod archives;
mod assembly;
mod comments;
mod cxx;
mod difference;
mod identity;
mod inputs;
mod leases;
mod link_inputs;
mod links;
mod outputs;
mod response;
mod shadows;
mod streams;
