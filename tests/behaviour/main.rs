//! What larder promises, one file per behaviour.

mod archives;
mod bad_input;
mod brokers;
mod build_systems;
mod commands;
mod compile_c;
mod control;
mod crashes;
mod dashboard;
mod doctor;
mod explain;
mod first_client;
mod full_disk;
mod go_command;
mod go_failures;
mod go_protocol;
mod lifecycle;
mod page;
mod portable;
mod projects;
mod provoked;
mod registration;
mod rust;
mod sessions;
mod stock_brokers;
mod switched_off;
