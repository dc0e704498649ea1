//! The subcommands: one file for each (design.md, "Command line").
//!
//! stdout is for results, stderr for the rest; a closed pipe is no error. Exit codes are those of [`exit::Exit`].

mod acknowledge;
mod batches;
mod beginning;
mod check;
mod client;
mod config;
mod credentials;
mod desk;
mod exit;
mod keygen;
mod online;
mod openapi;
mod operator;
mod output;
mod plan;
mod poll;
mod publish;
mod receiver;
mod refusal;
mod reload;
mod samples;
mod serve;
mod settings;
mod status;
mod token;
mod verify;
mod verify_audit;

use std::future::Future;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::exit::{Exit, Failure};
use self::operator::{bulk, clock, explain, hold, purge, rotate_keys, subscriptions, suppressions};
use self::settings::Configuration;

/// An on-prem notification appliance: takes in events and hands each one on, durably and accounted for
#[derive(Debug, Parser)]
#[command(name = "tidings", version)]
struct Cli {
    #[command(flatten)]
    configuration: Configuration,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Config(config::Config),
    Plan(plan::Plan),
    Reload(reload::Reload),
    Publish(publish::Publish),
    Poll(poll::Poll),
    Token(token::Token),
    Keygen(keygen::Keygen),
    RotateKeys(rotate_keys::RotateKeys),
    Status(status::Status),
    Subscriptions(subscriptions::Subscriptions),
    Pause(hold::Pause),
    Resume(hold::Resume),
    Explain(explain::Explain),
    Replay(bulk::Replay),
    Cancel(bulk::Cancel),
    Purge(purge::Purge),
    Suppressions(suppressions::Suppressions),
    Clock(clock::Clock),
    Verify(verify::Verify),
    Receiver(receiver::Receiver),
    Openapi(openapi::Openapi),
}

/// Runs the command that the process's arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let exit = match Cli::try_parse() {
        Ok(cli) => dispatch(&cli).unwrap_or_else(|failure| {
            output::remark(&format!("tidings: {}", output::printable(&failure.text)));
            failure.exit
        }),
        Err(error) => explain(&error),
    };
    exit.into()
}

/// What clap says: help and version are results, all else is wrong usage.
fn explain(error: &clap::Error) -> Exit {
    // Nobody is left to tell if this fails.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}

fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    let configuration = &cli.configuration;
    match &cli.command {
        Command::Serve(arguments) => serve::run(arguments, configuration),
        Command::Check(arguments) => blocking(check::run(arguments, configuration)),
        Command::Config(arguments) => config::run(arguments, configuration),
        Command::Plan(arguments) => blocking(plan::run(arguments, configuration)),
        Command::Reload(arguments) => blocking(reload::run(arguments, configuration)),
        Command::Publish(arguments) => blocking(publish::run(arguments, configuration)),
        Command::Poll(arguments) => blocking(poll::run(arguments, configuration)),
        Command::Token(arguments) => blocking(token::run(arguments, configuration)),
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::RotateKeys(arguments) => blocking(rotate_keys::run(arguments, configuration)),
        Command::Status(arguments) => blocking(status::run(arguments, configuration)),
        Command::Subscriptions(arguments) => blocking(subscriptions::run(arguments, configuration)),
        Command::Pause(arguments) => blocking(hold::pause(arguments, configuration)),
        Command::Resume(arguments) => blocking(hold::resume(arguments, configuration)),
        Command::Explain(arguments) => blocking(explain::run(arguments, configuration)),
        Command::Replay(arguments) => blocking(bulk::replay(arguments, configuration)),
        Command::Cancel(arguments) => blocking(bulk::cancel(arguments, configuration)),
        Command::Purge(arguments) => blocking(purge::run(arguments, configuration)),
        Command::Suppressions(arguments) => blocking(suppressions::run(arguments, configuration)),
        Command::Clock(arguments) => blocking(clock::run(arguments, configuration)),
        Command::Verify(arguments) => verify::run(arguments, configuration),
        Command::Receiver(arguments) => blocking(receiver::run(arguments)),
        Command::Openapi(arguments) => openapi::run(arguments),
    }
}

/// Runs a command that waits for the network, on this thread.
fn blocking(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, format!("cannot start: {error}")))?
        .block_on(command)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
