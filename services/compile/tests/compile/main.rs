//! The compile service with real compilers, driven as a client drives it.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod sandbox;

mod archives;
mod identity;
mod inputs;
mod leases;
mod outputs;
mod shadows;
mod streams;
