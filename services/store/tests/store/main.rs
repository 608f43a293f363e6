//! The store as its callers see it, and what it does about what others do to its folder.

#![cfg(test)]

mod blobs;
mod clearing;
mod eviction;
mod index;
mod opening;
mod power;
mod sandbox;
mod staged;
