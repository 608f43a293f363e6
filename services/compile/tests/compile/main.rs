//! The compile service with real compilers, driven as a client drives it.

mod sandbox;

mod identity;
mod inputs;
mod leases;
mod outputs;
mod shadows;
mod streams;
