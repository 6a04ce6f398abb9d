//! The harness of the stories: real servers, real processes, clients, and what must hold after.
//!
//! Nothing in here knows how a service works inside; it starts the programs, talks to them as
//! anybody could, and hurts them. Invariant: a test leaves no process and no folder behind, also
//! when it fails or is killed. Read next: [`system`] for what a test starts from, [`check`] for
//! what must hold when it is over.

pub mod check;
pub mod client;
pub mod disk;
pub mod dump;
pub mod files;
pub mod gateway;
pub mod hand;
pub mod load;
pub mod nats;
pub mod node;
pub mod place;
pub mod postgres;
pub mod process;
pub mod ranking;
pub mod sale;
pub mod shop;
pub mod system;
pub mod wait;
pub mod world;

pub use client::{Answer, Client};
pub use load::{Load, Running, Told, load};
pub use nats::Nats;
pub use node::Node;
pub use postgres::Postgres;
pub use shop::{Shop, shop};
pub use system::{Database, System};
pub use wait::eventually;
pub use world::World;
