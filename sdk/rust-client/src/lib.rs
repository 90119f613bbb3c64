//! Connections to [Weir](https://github.com/weir-gateway/weir) that come back: after a loss the client connects again, takes
//! its session back, and goes on where it was. Nothing is lost or doubled in either direction; where something was, the client
//! says so.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use weir_client::{Client, Event};
//!
//! let mut client = Client::builder("wss://chat.example/").build()?;
//! client.send("hello").await?;
//! while let Some(event) = client.recv().await {
//!     match event {
//!         Event::Open(opened) => println!("connected; the same session: {}", opened.resumed),
//!         Event::Message(message) => println!("{}", message.as_text().unwrap_or("(bytes)")),
//!         Event::Reconnecting { delay, cause, .. } => println!("{cause}; again in {delay:?}"),
//!         Event::Closed(closed) => println!("{}", closed.cause),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it promises, and when it stays away: README.md. The protocol: `docs/sessions.md` in Weir's repository.

mod backoff;
mod client;
mod control;
mod conversation;
mod driver;
mod ending;
mod error;
mod event;
mod heartbeat;
mod message;
mod options;
mod outbox;
mod receipts;
mod round_trip;
mod transport;

pub use client::{Client, ResumePoint, Sender};
pub use error::{Error, SendError};
pub use event::{Closed, Event, Opened};
pub use message::{Kind, Message};
pub use options::Builder;
